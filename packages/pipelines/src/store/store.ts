import { ArtifactStore } from "./artifact-store.ts";
import { CacheStore } from "./cache-store.ts";
import { Changes } from "./changes.ts";
import { ExperimentStore } from "./experiment-store.ts";
import { OutboxStore } from "./outbox-store.ts";
import { PipelineStore } from "./pipeline-store.ts";
import { RecurringRunStore } from "./recurring-run-store.ts";
import { RunStore } from "./run-store.ts";
import { TaskStore } from "./task-store.ts";
import { VersionStore } from "./version-store.ts";
import type { PipelinesDatabase } from "./tables.ts";

/** Everything that the component keeps: one store per thing. */
export class Store {
  /** What happens to pipelines, versions and schedules. */
  readonly changes: Changes = new Changes();
  readonly experiments: ExperimentStore;
  readonly pipelines: PipelineStore;
  readonly versions: VersionStore;
  readonly runs: RunStore;
  readonly recurringRuns: RecurringRunStore;
  readonly tasks: TaskStore;
  readonly cache: CacheStore;
  readonly outbox: OutboxStore;
  readonly artifacts: ArtifactStore;

  constructor(database: PipelinesDatabase) {
    this.experiments = new ExperimentStore(database, this.changes);
    this.pipelines = new PipelineStore(database, this.changes);
    this.versions = new VersionStore(database, this.changes);
    this.runs = new RunStore(database);
    this.recurringRuns = new RecurringRunStore(database, this.changes);
    this.tasks = new TaskStore(database);
    this.cache = new CacheStore(database);
    this.outbox = new OutboxStore(database);
    this.artifacts = new ArtifactStore(database);
  }
}
