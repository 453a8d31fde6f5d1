import { createHash } from "node:crypto";
import { defineComponent, type Component } from "@sluice/component";
import { artifactAgent } from "./agent/artifact-agent.ts";
import { runPods } from "./controllers/run-pods.ts";
import type { PodSettings } from "./engine/pod-types.ts";
import { DEFAULT_LIFECYCLE, type LifecycleSettings } from "./lifecycle/lifecycle-settings.ts";
import { Upkeep } from "./lifecycle/upkeep.ts";
import { pipelinesMigrations } from "./migrations/index.ts";
import { pipelineRoutes } from "./routes/index.ts";
import type { CacheSettings } from "./runner/cache-lookup.ts";
import { Runner } from "./runner/runner.ts";
import { pipelinesDatabase } from "./store/tables.ts";
import { Store } from "./store/store.ts";

/** What an installation may decide about pipelines. */
export interface PipelinesOptions {
  readonly pods?: PodSettings;
  /** Whether tasks may share results; they may, unless set. */
  readonly isCacheEnabled?: boolean;
  /** How old a shared result may be (milliseconds) where a pipeline does not say. */
  readonly cacheMaxAgeMs?: number | undefined;
  readonly cache?: CacheSettings | undefined;
  readonly lifecycle?: Partial<LifecycleSettings> | undefined;
}

/** Kubeflow Pipelines: its REST API, and what runs pipelines behind it. */
export function pipelinesComponent(options: PipelinesOptions = {}): Component {
  const { pods = {}, isCacheEnabled = true, cacheMaxAgeMs, cache } = options;
  const lifecycle: LifecycleSettings = { ...DEFAULT_LIFECYCLE, ...options.lifecycle };
  return defineComponent({
    name: "pipelines",
    resources: [],
    migrations: pipelinesMigrations,
    build({ client, database, objects, gate, clock, logger, newId, signal }) {
      const store = new Store(pipelinesDatabase(database));
      const engine = { sha256: (text: string) => createHash("sha256").update(text).digest("hex"), settings: pods, isCacheEnabled, cacheMaxAgeMs };
      const runner = new Runner({ store, client, objects, clock, logger, engine, cache, lifecycle, signal });
      const upkeep = new Upkeep({ store, runner, settings: lifecycle, clock, logger, signal });
      const { api, logs } = pipelineRoutes({ store, runner, client, objects, gate, clock, newId, logger, signal });
      return {
        routes: [
          { paths: ["/apis/v2beta1", "/pipeline/apis/v2beta1"], app: api },
          { paths: ["/apis/v1alpha1", "/pipeline/apis/v1alpha1"], app: logs },
        ],
        controllers: [runPods(runner)],
        programs: [artifactAgent({ objects, report: (report) => runner.report(report) })],
        async start() {
          await runner.start();
          await upkeep.start();
        },
      };
    },
  });
}

/** The component as it is without any settings. */
export const pipelines: Component = pipelinesComponent();
