import { createHash } from "node:crypto";
import { defineComponent, type Component } from "@sluice/component";
import { artifactAgent } from "./agent/artifact-agent.ts";
import { runPods } from "./controllers/run-pods.ts";
import type { PodSettings } from "./engine/pod-types.ts";
import { pipelinesMigrations } from "./migrations/index.ts";
import { DEFAULT_NAMESPACE } from "./routes/context.ts";
import { ensureDefaultExperiment } from "./routes/experiments.ts";
import { pipelineRoutes } from "./routes/index.ts";
import { Runner } from "./runner/runner.ts";
import { pipelinesDatabase } from "./store/tables.ts";
import { Store } from "./store/store.ts";

/** What an installation may decide about pipelines. */
export interface PipelinesOptions {
  readonly pods?: PodSettings;
  /** Whether tasks may share results; they may, unless set. */
  readonly isCacheEnabled?: boolean;
}

/** Kubeflow Pipelines: its REST API, and what runs pipelines behind it. */
export function pipelinesComponent({ pods = {}, isCacheEnabled = true }: PipelinesOptions = {}): Component {
  return defineComponent({
    name: "pipelines",
    resources: [],
    migrations: pipelinesMigrations,
    build({ client, database, objects, gate, clock, logger, newId, signal }) {
      const store = new Store(pipelinesDatabase(database));
      const engine = { sha256: (text: string) => createHash("sha256").update(text).digest("hex"), settings: pods, isCacheEnabled };
      const runner = new Runner({ store, client, objects, clock, logger, engine, signal });
      const { api, logs, metrics } = pipelineRoutes({ store, runner, client, objects, gate, clock, newId, logger, signal });
      return {
        routes: [
          { paths: ["/apis/v2beta1", "/pipeline/apis/v2beta1"], app: api },
          { paths: ["/apis/v1alpha1", "/pipeline/apis/v1alpha1"], app: logs },
          { paths: ["/metrics"], app: metrics },
        ],
        controllers: [runPods(runner)],
        // What kfp.Client looks for if it is told of no host.
        services: [{ name: "ml-pipeline", namespace: DEFAULT_NAMESPACE, port: 8888 }],
        programs: [artifactAgent({ objects, report: (report) => runner.report(report) })],
        async start() {
          await ensureDefaultExperiment({ store, newId, clock }, DEFAULT_NAMESPACE);
          await runner.start();
        },
      };
    },
  });
}

/** The component as it is without any settings. */
export const pipelines: Component = pipelinesComponent();
