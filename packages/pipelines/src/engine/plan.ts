import type { ComponentSpec, ContainerSpec, DagSpec, ImporterSpec, PipelineSpec, TaskSpec } from "../domain/ir.ts";

/** One task of a graph, with what it waits for and what waits for it. */
export interface PlannedTask {
  readonly name: string;
  readonly spec: TaskSpec;
  readonly component: ComponentSpec;
  readonly dependencies: readonly string[];
  readonly dependents: readonly string[];
  /** Whether it cleans up after an exit handler, or is told how another task ended: it runs even in a run that is being stopped. */
  readonly isExit: boolean;
}

/** One component's graph, worked out once for all its instances; producers come before their consumers. */
export type Plan = ReadonlyMap<string, PlannedTask>;

/** The value of a record's own key. */
export function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The component of that name; the root's is the empty name. */
export function componentOf(spec: PipelineSpec, name: string): ComponentSpec {
  return name === "" ? spec.root : (own(spec.components, name) ?? {});
}

/** The container that a component runs, if it is one. */
export function containerOf(spec: PipelineSpec, component: ComponentSpec): ContainerSpec | undefined {
  return own(spec.deploymentSpec?.executors, component.executorLabel ?? "")?.container;
}

/** The importer that a component is, if it is one. */
export function importerOf(spec: PipelineSpec, component: ComponentSpec): ImporterSpec | undefined {
  return own(spec.deploymentSpec?.executors, component.executorLabel ?? "")?.importer;
}

/** Whether the task runs once for each of some items. */
export function isLoop(spec: TaskSpec): boolean {
  return spec.parameterIterator !== undefined || spec.artifactIterator !== undefined;
}

/** Whether the task runs however those before it ended. */
export function runsAnyway(spec: TaskSpec): boolean {
  return spec.triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED";
}

/** Whether the component holds what an exit task cleans up after. */
export function isExitHandler(component: string): boolean {
  return /^comp-exit-handler(-|$)/.test(component);
}

function isExitTask(task: TaskSpec, before: readonly string[], dag: DagSpec): boolean {
  if (!runsAnyway(task)) return false;
  const isTold = Object.values(task.inputs?.parameters ?? {}).some(({ taskFinalStatus }) => taskFinalStatus !== undefined);
  return isTold || before.some((name) => isExitHandler(own(dag.tasks, name)?.componentRef.name ?? ""));
}

function dependenciesOf(spec: TaskSpec): Set<string> {
  const names = new Set(spec.dependentTasks ?? []);
  for (const input of Object.values(spec.inputs?.parameters ?? {})) {
    const producer = input.taskOutputParameter?.producerTask ?? input.taskFinalStatus?.producerTask;
    if (producer !== undefined) names.add(producer);
  }
  for (const input of Object.values(spec.inputs?.artifacts ?? {})) {
    if (input.taskOutputArtifact !== undefined) names.add(input.taskOutputArtifact.producerTask);
  }
  return names;
}

/** The plan of a component's graph; empty for one that has none. */
export function planOf(spec: PipelineSpec, component: ComponentSpec): Plan {
  const tasks = Object.entries(component.dag?.tasks ?? {});
  const dependencies = new Map(tasks.map(([name, task]) => [name, dependenciesOf(task)]));
  const dependents = new Map<string, string[]>(tasks.map(([name]) => [name, []]));
  const waiting = new Map<string, number>();
  for (const [name, before] of dependencies) {
    waiting.set(name, before.size);
    for (const producer of before) dependents.get(producer)?.push(name);
  }
  const plan = new Map<string, PlannedTask>();
  const ready = tasks.map(([name]) => name).filter((name) => waiting.get(name) === 0);
  for (const name of ready) {
    const task = component.dag?.tasks?.[name];
    if (task === undefined) continue;
    const after = dependents.get(name) ?? [];
    const before = [...(dependencies.get(name) ?? [])];
    const isExit = isExitTask(task, before, component.dag ?? {});
    plan.set(name, { name, spec: task, component: componentOf(spec, task.componentRef.name), dependencies: before, dependents: after, isExit });
    for (const next of after) {
      const rest = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, rest);
      if (rest === 0) ready.push(next);
    }
  }
  return plan;
}
