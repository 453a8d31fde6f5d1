import type { Migration } from "@sluice/database";
import { pipelinesSchema } from "./001-pipelines.ts";
import { pipelinesApi } from "./002-api.ts";

/** All steps of the component's part of the database, in order; one that was released never changes. */
export const pipelinesMigrations: readonly Migration[] = [pipelinesSchema, pipelinesApi];
