import { ArtifactStore } from "./artifact-store.ts";
import { CacheStore } from "./cache-store.ts";
import { ExperimentStore } from "./experiment-store.ts";
import { OutboxStore } from "./outbox-store.ts";
import { PipelineStore } from "./pipeline-store.ts";
import { RunStore } from "./run-store.ts";
import { TaskStore } from "./task-store.ts";
import { UpkeepStore } from "./upkeep-store.ts";
import { VersionStore } from "./version-store.ts";
import type { PipelinesDatabase } from "./tables.ts";

/** Everything that the component keeps: one store per thing. */
export class Store {
  readonly experiments: ExperimentStore;
  readonly pipelines: PipelineStore;
  readonly versions: VersionStore;
  readonly runs: RunStore;
  readonly tasks: TaskStore;
  readonly cache: CacheStore;
  readonly outbox: OutboxStore;
  readonly artifacts: ArtifactStore;
  readonly upkeep: UpkeepStore;

  constructor(database: PipelinesDatabase) {
    this.experiments = new ExperimentStore(database);
    this.pipelines = new PipelineStore(database);
    this.versions = new VersionStore(database);
    this.runs = new RunStore(database);
    this.tasks = new TaskStore(database);
    this.cache = new CacheStore(database);
    this.outbox = new OutboxStore(database);
    this.artifacts = new ArtifactStore(database);
    this.upkeep = new UpkeepStore(database);
  }
}
