import { UserError } from "@sluice/kubernetes";
import { canonicalJson } from "../domain/fingerprint.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import type { ComponentSpec, JsonObject, JsonValue, TaskSpec } from "../domain/ir.ts";
import { runParameters } from "./parameter-type.ts";
import { componentOf, containerOf, importerOf, isLoop, own, type PlannedTask, planOf } from "./plan.ts";
import type { RunState } from "./run-state.ts";
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
export function editOf(before: RunInfo, after: RunInfo, earlier: JsonObject): Edit {
  const touched = new Map<string, boolean>();
  const changedInputs = new Set<string>();
  const later = runParameters(after.spec.root, after.parameters);
  for (const name of [...Object.keys(earlier), ...Object.keys(later)]) if (!isSame(earlier[name], later[name])) changedInputs.add(name);

  const isChanged = (one: PlannedTask, other: PlannedTask, isInRoot: boolean): boolean =>
    !isSame(wiringOf(one.spec), wiringOf(other.spec)) ||
    !isSame(interfaceOf(one.component), interfaceOf(other.component)) ||
    !isSame(executorOf(before, one.component), executorOf(after, other.component)) ||
    (isInRoot && takesAny(other.spec, changedInputs));

  const isTouched = (one: string, other: string): boolean => {
    const key = JSON.stringify([one, other]);
    const known = touched.get(key);
    if (known !== undefined) return known;
    const [from, to] = [planOf(before.spec, componentOf(before.spec, one)), planOf(after.spec, componentOf(after.spec, other))];
    const outputs = [componentOf(before.spec, one).dag?.outputs, componentOf(after.spec, other).dag?.outputs] as const;
    const isIt =
      from.size !== to.size ||
      !isSame(...outputs) ||
      [...from.values()].some((task) => {
        const now = to.get(task.name);
        if (now === undefined || isChanged(task, now, other === "")) return true;
        return isTouched(task.spec.componentRef.name, now.spec.componentRef.name);
      });
    touched.set(key, isIt);
    return isIt;
  };
  return { isChanged, isTouched };
}

/** Throws a `UserError` if a run cannot go on as another pipeline: what it has reached must be there, as what it was. */
export function checkEdit(run: RunState, pipeline: Pick<RunInfo, "spec" | "platform">): void {
  const after = editedInfo(run.info, pipeline);
  const { name } = run.info.spec.pipelineInfo;
  const now = after.spec.pipelineInfo.name;
  if (now !== name) throw new UserError(`the run is of pipeline ${JSON.stringify(name)}, the edited one is ${JSON.stringify(now)}`, REMEDY);
  runParameters(after.spec.root, after.parameters);
  const visit = (task: TaskRecord, component: string): void => {
    const plan = planOf(after.spec, componentOf(after.spec, component));
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
