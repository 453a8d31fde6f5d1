import { createHash } from "node:crypto";
import { defineComponent, type Component } from "@sluice/component";
import { ArtifactStores, type ArtifactSettings } from "./artifact-stores/artifact-stores.ts";
import { artifactAgent } from "./agent/artifact-agent.ts";
import { debugPods } from "./controllers/debug-pods.ts";
import { runPods } from "./controllers/run-pods.ts";
import type { PodSettings } from "./engine/pod-types.ts";
import { PIPELINES } from "./kinds/pipeline.ts";
import { PIPELINE_VERSIONS } from "./kinds/pipeline-version.ts";
import { SCHEDULED_WORKFLOWS } from "./kinds/scheduled-workflow.ts";
import { DEFAULT_LIFECYCLE, type LifecycleSettings } from "./lifecycle/lifecycle-settings.ts";
import { Upkeep } from "./lifecycle/upkeep.ts";
import { pipelinesMigrations } from "./migrations/index.ts";
import { mirrors } from "./mirror/mirrors.ts";
import { DEFAULT_NAMESPACE } from "./routes/context.ts";
import { ensureDefaultExperiment } from "./routes/experiments.ts";
import { pipelineRoutes } from "./routes/index.ts";
import type { CacheSettings } from "./runner/cache-lookup.ts";
import { Runner } from "./runner/runner.ts";
import { Scheduler } from "./schedules/scheduler.ts";
import { pipelinesDatabase } from "./store/tables.ts";
import { Store } from "./store/store.ts";

/** What an installation may decide about pipelines. */
export interface PipelinesOptions {
  readonly pods?: PodSettings;
  /** Whether tasks may share results; they may, unless set. */
  readonly isCacheEnabled?: boolean;
  /** The time zone of schedules that name none; UTC, unless set. */
  readonly scheduleTimeZone?: string;
  readonly artifacts?: ArtifactSettings;
  /** How old a shared result may be (milliseconds) where a pipeline does not say. */
  readonly cacheMaxAgeMs?: number | undefined;
  readonly cache?: CacheSettings | undefined;
  readonly lifecycle?: Partial<LifecycleSettings> | undefined;
}

/** Kubeflow Pipelines: its REST API, and what runs pipelines behind it. */
export function pipelinesComponent(options: PipelinesOptions = {}): Component {
  const { pods = {}, isCacheEnabled = true, cacheMaxAgeMs, cache, scheduleTimeZone: timeZone = "UTC", artifacts } = options;
  const lifecycle: LifecycleSettings = { ...DEFAULT_LIFECYCLE, ...options.lifecycle };
  return defineComponent({
    name: "pipelines",
    resources: [PIPELINES, PIPELINE_VERSIONS, SCHEDULED_WORKFLOWS],
    migrations: pipelinesMigrations,
    build({ client, database, objects: embedded, gate, clock, logger, newId, signal }) {
      const store = new Store(pipelinesDatabase(database));
      const engine = { sha256: (text: string) => createHash("sha256").update(text).digest("hex"), settings: pods, isCacheEnabled, cacheMaxAgeMs };
      const objects = new ArtifactStores({ embedded, client, settings: artifacts });
      const runner = new Runner({ store, client, objects, clock, logger, engine, cache, lifecycle, signal });
      const upkeep = new Upkeep({ store, runner, settings: lifecycle, clock, logger, signal });
      const { api, logs, metrics } = pipelineRoutes({ store, runner, client, objects, gate, clock, newId, timeZone, logger, signal });
      const scheduler = new Scheduler({ store, runner, clock, logger, sha256: engine.sha256, timeZone, signal });
      return {
        routes: [
          { paths: ["/apis/v2beta1", "/pipeline/apis/v2beta1"], app: api },
          { paths: ["/apis/v1alpha1", "/pipeline/apis/v1alpha1"], app: logs },
          { paths: ["/metrics"], app: metrics },
        ],
        controllers: [runPods(runner), debugPods(), ...mirrors({ store, runner, clock, newId, timeZone })],
        // What kfp.Client looks for if it is told of no host.
        services: [{ name: "ml-pipeline", namespace: DEFAULT_NAMESPACE, port: 8888 }],
        programs: [artifactAgent({ stores: objects, report: (report, namespace) => runner.report(report, namespace) })],
        async start() {
          await ensureDefaultExperiment({ store, newId, clock }, DEFAULT_NAMESPACE);
          await runner.start();
          await upkeep.start();
          await scheduler.start();
        },
      };
    },
  });
}
