import { parseDuration, UserError } from "@sluice/kubernetes";
import type { PipelinesOptions } from "@sluice/pipelines";
import { z } from "zod";
import type { Config } from "./config.ts";

/** A duration such as `30d`, `12h` or `P30D`; milliseconds once it is read. */
const duration = z.string().transform((text, context) => {
  try {
    return parseDuration("", text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is not a duration: write one such as 7d, 12h, 1h30m or P7D` });
    return z.NEVER;
  }
});

const retention = { archiveAfter: duration.optional(), deleteAfter: duration.optional() };

/** The part of the configuration that is about pipelines. */
export const pipelinesSchema: z.ZodType<PipelinesConfig, unknown> = z.strictObject({
  cache: z
    .strictObject({
      enabled: z.boolean().optional(),
      scope: z.enum(["pipeline", "namespace"]).optional(),
      maxAge: duration.optional(),
      check: z.enum(["existence", "digest"]).optional(),
    })
    .optional(),
  lifecycle: z
    .strictObject({
      ...retention,
      artifacts: z.enum(["delete", "keep"]).optional(),
      podsKept: duration.optional(),
      namespaces: z.record(z.string(), z.strictObject(retention)).optional(),
    })
    .optional(),
});

interface RetentionConfig {
  /** How long after its end a run is archived (milliseconds, here and below); never unless given. */
  readonly archiveAfter?: number | undefined;
  /** How long after it was archived a run is deleted; never unless given. */
  readonly deleteAfter?: number | undefined;
}

/** How pipelines share results, and what becomes of runs that are over. */
export interface PipelinesConfig {
  readonly cache?:
    | {
        /** Whether tasks share results at all; they do unless given. */
        readonly enabled?: boolean | undefined;
        /** Whose results: those of a pipeline of the same name, unless of the whole namespace. */
        readonly scope?: "pipeline" | "namespace" | undefined;
        /** How old they may be; any age unless given. */
        readonly maxAge?: number | undefined;
        /** What is looked at before: that artifacts are there, unless also that they are the same. */
        readonly check?: "existence" | "digest" | undefined;
      }
    | undefined;
  readonly lifecycle?:
    | (RetentionConfig & {
        /** What becomes of a deleted run's artifacts; they are deleted unless given. */
        readonly artifacts?: "delete" | "keep" | undefined;
        /** How long the pods of a run stay after its end; a week unless given. */
        readonly podsKept?: number | undefined;
        /** Namespaces whose runs are kept for another time. */
        readonly namespaces?: Readonly<Record<string, RetentionConfig>> | undefined;
      })
    | undefined;
}

/** What the configuration says of pipelines, in the component's words. */
export function pipelinesOptionsOf({
  pipelines = {},
  scheduleTimeZone,
  artifacts: stores,
}: Pick<Config, "pipelines" | "scheduleTimeZone" | "artifacts">): PipelinesOptions {
  const { cache = {}, lifecycle = {} } = pipelines;
  const { artifacts, podsKept: podsKeptMs, namespaces = {}, ...own } = lifecycle;
  const retentionOf = ({ archiveAfter, deleteAfter }: RetentionConfig) => ({ archiveAfterMs: archiveAfter, deleteAfterMs: deleteAfter });
  return {
    ...(scheduleTimeZone === undefined ? {} : { scheduleTimeZone }),
    ...(stores === undefined ? {} : { artifacts: stores }),
    isCacheEnabled: cache.enabled ?? true,
    cacheMaxAgeMs: cache.maxAge,
    cache: { scope: cache.scope, check: cache.check },
    lifecycle: {
      ...retentionOf(own),
      ...(artifacts === undefined ? {} : { artifacts }),
      ...(podsKeptMs === undefined ? {} : { podsKeptMs }),
      namespaces: Object.fromEntries(Object.entries(namespaces).map(([namespace, one]) => [namespace, retentionOf(one)])),
    },
  };
}
