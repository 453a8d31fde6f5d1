import type { JsonValue, RunTask } from "@sluice/sdk";

/** What a task is. */
export type TaskKind = RunTask["type"];

/** What a graph of tasks says of one of them, as far as it is drawn. */
interface SpecTask {
  readonly key: string;
  readonly label: string;
  readonly kind: TaskKind;
  readonly component: SpecComponent;
  /** The tasks of the same graph that come before it. */
  readonly after: readonly string[];
  readonly condition?: string;
}

/** A component: a graph of tasks, or what it runs. */
export interface SpecComponent {
  readonly tasks?: () => readonly SpecTask[];
  readonly image?: string;
  readonly command?: readonly string[];
}

type Tree = { readonly [key: string]: JsonValue | undefined };

/** Reads what a page needs from a pipeline, bare or wrapped with its platform's part. A field that is not as it should be counts as absent. */
export function readPipelineSpec(given: JsonValue | undefined): SpecComponent {
  const outer = treeOf(given);
  const spec = outer["pipeline_spec"] === undefined ? outer : treeOf(outer["pipeline_spec"]);
  const [components, executors] = [treeOf(spec["components"]), treeOf(treeOf(spec["deploymentSpec"])["executors"])];
  const known = new Map<string, SpecComponent>();

  const component = (name: string): SpecComponent => {
    const made = known.get(name) ?? read(treeOf(components[name]));
    known.set(name, made);
    return made;
  };
  const read = (tree: Tree): SpecComponent => {
    if (tree["dag"] !== undefined) {
      let tasks: readonly SpecTask[] | undefined;
      const entries = Object.entries(treeOf(treeOf(tree["dag"])["tasks"]));
      return { tasks: () => (tasks ??= entries.map(([key, task]) => readTask(key, treeOf(task)))) };
    }
    const container = treeOf(treeOf(executors[textOf(tree["executorLabel"]) ?? ""])["container"]);
    const image = textOf(container["image"]);
    return { ...(image === undefined ? {} : { image }), command: [...textsOf(container["command"]), ...textsOf(container["args"])] };
  };
  const readTask = (key: string, task: Tree): SpecTask => {
    const name = textOf(treeOf(task["componentRef"])["name"]) ?? "";
    const condition = textOf(treeOf(task["triggerPolicy"])["condition"]);
    const isImporter = treeOf(executors[textOf(treeOf(components[name])["executorLabel"]) ?? ""])["importer"] !== undefined;
    return {
      key,
      label: textOf(treeOf(task["taskInfo"])["name"]) ?? key,
      kind: kindOf(task, name, { isGraph: treeOf(components[name])["dag"] !== undefined, isImporter }),
      get component() {
        return component(name);
      },
      after: producersOf(task),
      ...(condition === undefined || condition === "" ? {} : { condition }),
    };
  };
  return read(treeOf(spec["root"]));
}

/** As the server will call it once it is reached. */
function kindOf(task: Tree, component: string, { isGraph, isImporter }: { readonly isGraph: boolean; readonly isImporter: boolean }): TaskKind {
  if (task["parameterIterator"] !== undefined || task["artifactIterator"] !== undefined) return "LOOP";
  if (!isGraph) return isImporter ? "IMPORTER" : "RUNTIME";
  if ((textOf(treeOf(task["triggerPolicy"])["condition"]) ?? "") !== "") return "CONDITION";
  if (/^comp-condition-branches(-|$)/u.test(component)) return "CONDITION_BRANCH";
  return /^comp-exit-handler(-|$)/u.test(component) ? "EXIT_HANDLER" : "DAG";
}

function producersOf(task: Tree): readonly string[] {
  const inputs = treeOf(task["inputs"]);
  const values = [...Object.values(treeOf(inputs["parameters"])), ...Object.values(treeOf(inputs["artifacts"]))].map(treeOf);
  const producers = values.flatMap((value) =>
    ["taskOutputParameter", "taskOutputArtifact", "taskFinalStatus"].flatMap((source) => textOf(treeOf(value[source])["producerTask"]) ?? []),
  );
  return [...new Set([...textsOf(task["dependentTasks"]), ...producers])];
}

function treeOf(value: JsonValue | undefined): Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
