import type { Migration } from "@sluice/database";
import { pipelinesSchema } from "./001-pipelines.ts";
import { pipelinesApi } from "./002-api.ts";
import { recurringRunsSchema } from "./003-recurring-runs.ts";
import { cacheSchema } from "./004-cache.ts";
import { lineageSchema } from "./005-lineage.ts";

/** All steps of the component's part of the database, in order; one that was released never changes. */
export const pipelinesMigrations: readonly Migration[] = [pipelinesSchema, pipelinesApi, recurringRunsSchema, cacheSchema, lineageSchema];
