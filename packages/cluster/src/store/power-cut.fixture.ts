/** Writes for some rounds, and says on stdout what has been acknowledged: `<round> <revision> <key> <SHA-256 of the JSON, or ->`. */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import type { UnknownObject } from "@sluice/kubernetes";
import { openStore } from "./store.ts";

const THINGS = "v1/things";
const [path = "", first = "", rounds = ""] = process.argv.slice(2);
const store = await openStore({ path });
for (let round = Number(first); round < Number(first) + Number(rounds); round++) {
  // Of all sizes, so that the log overflows and starts anew while old pages are still in it.
  const padding = "x".repeat(round % 5 === 0 ? 1_500_000 : 10 + round * 37);
  await Promise.all(
    Array.from({ length: 1 + (round % 4) }, async (_, index) => {
      const name = `o-${(round * 3 + index) % 12}`;
      const makeNext = (current: UnknownObject | undefined): UnknownObject | undefined =>
        current !== undefined && (round + index) % 3 === 0
          ? undefined
          : { apiVersion: "v1", kind: "Thing", metadata: { name, namespace: "a" }, round, padding };
      let isDeletion = false;
      const written = await store.write(THINGS, { namespace: "a", name }, (current) => {
        const next = makeNext(current);
        isDeletion = next === undefined;
        return next;
      });
      const digest = isDeletion ? "-" : createHash("sha256").update(JSON.stringify(written)).digest("hex");
      writeSync(1, `${round} ${written?.metadata.resourceVersion} ${THINGS}/a/${name} ${digest}\n`);
    }),
  );
}
await store.close();
