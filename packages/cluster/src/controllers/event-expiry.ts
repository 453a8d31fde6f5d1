import { defineController, type Controller } from "@sluice/controller";
import { Event } from "@sluice/kubernetes";

/** How long events are of interest. */
const LIFETIME_MS = 3_600_000;

/** Deletes events an hour after they were last seen: there is no end to them. */
export function eventExpiryController(): Controller {
  return defineController({
    name: "event-expiry",
    for: Event,
    when: (before, after) => before === undefined && after !== undefined,
    concurrency: 4,
    async reconcile(key, { cache, client, clock }) {
      const event = cache.get(Event, key);
      if (event === undefined) return;
      const { series, lastTimestamp, eventTime, metadata } = event;
      const seen = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp;
      const rest = Date.parse(seen ?? "") + LIFETIME_MS - clock.now();
      if (rest > 0) return { requeueAfter: rest };
      await client.delete(Event, key);
      return;
    },
  });
}
