import { UserError } from "@sluice/kubernetes";
import { canonicalJson } from "../domain/fingerprint.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import type { ComponentSpec, JsonObject, JsonValue, TaskSpec } from "../domain/ir.ts";
import { runParameters } from "./parameter-type.ts";
import { componentOf, containerOf, importerOf, isLoop, own, type Plan, type PlannedTask } from "./plan.ts";
import { RunState } from "./run-state.ts";
import type { RunInfo, TaskRecord } from "./types.ts";

/** What an edited pipeline changes of a run. */
export interface Edit {
  /** Whether a task itself means something else than when it ran: what it runs, is given, waits for or is repeated for. */
  isChanged(before: PlannedTask, after: PlannedTask, isInRoot: boolean): boolean;
  /** Whether a graph must be gone through again, by its component then and now: it gives something else, or a task in it is new, gone or changed. */
  isTouched(before: string, after: string): boolean;
}

/** A run as another pipeline. */
export function editedInfo(info: RunInfo, { spec, platform }: Pick<RunInfo, "spec" | "platform">): RunInfo {
  const { platform: _platform, ...rest } = info;
  return { ...rest, spec, ...(platform === undefined ? {} : { platform }) };
}

/** What differs between two pipelines of one run, which had `earlier` as its parameters. */
export function editOf(before: RunState, after: RunState, earlier: JsonObject): Edit {
  const later = runParameters(after.info.spec.root, after.info.parameters);
  const changedInputs = new Set([...Object.keys(earlier), ...Object.keys(later)].filter((name) => !isSame(earlier[name], later[name])));

  const isChanged = remembered(
    (one: PlannedTask, other: PlannedTask) =>
      !isSame(wiringOf(one.spec), wiringOf(other.spec)) ||
      !isSame(interfaceOf(one.component), interfaceOf(other.component)) ||
      !isSame(executorOf(before.info, one.component), executorOf(after.info, other.component)),
  );
  const isTouched = remembered((from: Plan, to: Plan): boolean => {
    if (from.size !== to.size) return true;
    return [...from.values()].some((task) => {
      const now = to.get(task.name);
      return now === undefined || isChanged(task, now) || edit.isTouched(task.spec.componentRef.name, now.spec.componentRef.name);
    });
  });
  const outputsOf = ({ info }: RunState, name: string): unknown => componentOf(info.spec, name).dag?.outputs;
  const edit: Edit = {
    isChanged: (one, other, isInRoot) => isChanged(one, other) || (isInRoot && takesAny(other.spec, changedInputs)),
    isTouched: (one, other) =>
      isTouched(before.plan(one), after.plan(other)) ||
      !isSame(outputsOf(before, one), outputsOf(after, other)) ||
      (other === "" && [...after.plan("").values()].some(({ spec }) => takesAny(spec, changedInputs))),
  };
  return edit;
}

/** A function of two things that works out each pair once. */
function remembered<T extends object>(compare: (one: T, other: T) => boolean): (one: T, other: T) => boolean {
  const known = new Map<T, Map<T, boolean>>();
  return (one, other) => {
    const row = known.get(one) ?? new Map<T, boolean>();
    known.set(one, row);
    const result = row.get(other) ?? compare(one, other);
    row.set(other, result);
    return result;
  };
}

/** Throws a `UserError` if a run cannot go on as another pipeline: what it has reached must be there, as what it was. */
export function checkEdit(run: RunState, pipeline: Pick<RunInfo, "spec" | "platform">): void {
  const after = editedInfo(run.info, pipeline);
  const { name } = run.info.spec.pipelineInfo;
  const now = after.spec.pipelineInfo.name;
  if (now !== name) throw new UserError(`the run is of pipeline ${JSON.stringify(name)}, the edited one is ${JSON.stringify(now)}`, REMEDY);
  runParameters(after.spec.root, after.parameters);
  const edited = new RunState(after, run.progress);
  const visit = (task: TaskRecord, component: string): void => {
    const plan = edited.plan(component);
    for (const child of run.children(task.id)) {
      if (child.iteration !== undefined) {
        visit(child, component);
        continue;
      }
      const planned = plan.get(child.name);
      if (planned === undefined) throw new UserError(`the run has reached ${child.path}, which the edited pipeline does not have`, REMEDY);
      const [was, is] = [run.plan(task.component).get(child.name), natureOf(planned)];
      if (was !== undefined && natureOf(was) !== is) {
        throw new UserError(`the run has reached ${child.path} as ${natureOf(was)}, but in the edited pipeline it is ${is}`, REMEDY);
      }
      visit(child, planned.spec.componentRef.name);
    }
  };
  if (run.root !== undefined) visit(run.get(run.root), "");
}

const REMEDY = { fix: "Start a new run of it: what is unchanged is taken from the cache." };

function natureOf({ spec, component }: PlannedTask): string {
  if (isLoop(spec)) return component.dag === undefined ? "a loop over one task" : "a loop";
  return component.dag === undefined ? "a single task" : "a graph of tasks";
}

/** What a task says of its place: how it is called, cached and retried does not matter to what it gave. */
function wiringOf({ inputs, dependentTasks, triggerPolicy, parameterIterator, artifactIterator }: TaskSpec): unknown {
  return { inputs, dependentTasks: dependentTasks?.toSorted(), triggerPolicy, parameterIterator, artifactIterator };
}

function interfaceOf({ inputDefinitions, outputDefinitions, taskConfigPassthroughs }: ComponentSpec): unknown {
  return { inputDefinitions, outputDefinitions, taskConfigPassthroughs };
}

/** What a component runs, and what its pod has; more memory or a GPU does not change what it gave. */
function executorOf({ spec, platform }: RunInfo, component: ComponentSpec): unknown {
  const { resources: _resources, ...container } = containerOf(spec, component) ?? { image: "" };
  const settings = own(platform?.platforms.kubernetes.deploymentSpec?.executors, component.executorLabel ?? "");
  return { container, importer: importerOf(spec, component), settings };
}

function takesAny({ inputs }: TaskSpec, names: ReadonlySet<string>): boolean {
  return Object.values(inputs?.parameters ?? {}).some(({ componentInputParameter, runtimeValue }) =>
    names.has(componentInputParameter ?? runtimeValue?.runtimeParameter ?? ""),
  );
}

/** Whether two parts of a pipeline are the same, in whatever order their fields are; what is absent, null or empty counts the same. */
function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(trimmed(jsonOf(one))) === canonicalJson(trimmed(jsonOf(other)));
}

function jsonOf(value: unknown): JsonValue {
  const json: JsonValue = JSON.parse(JSON.stringify(value ?? null));
  return json;
}

function trimmed(value: JsonValue): JsonValue {
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).flatMap(([key, item]) => {
    const inner = trimmed(item);
    return isJsonObject(inner) && Object.keys(inner).length === 0 ? [] : [[key, inner] as const];
  });
  return Object.fromEntries(kept);
}
