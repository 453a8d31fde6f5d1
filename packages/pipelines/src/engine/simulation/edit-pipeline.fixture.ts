import type { ComponentSpec, PipelineSpec, TaskSpec } from "../../domain/ir.ts";
import type { Random } from "./random.fixture.ts";

/** An edited pipeline. */
export interface EditedPipeline {
  readonly spec: PipelineSpec;
  /** The component and the name of a task that now runs other code. */
  readonly recoded?: { readonly component: string; readonly task: string };
}

/** What somebody might make of a pipeline: other code in a task, a task more or less, another condition or constant, or nothing but another order. */
export function editPipeline(random: Random, spec: PipelineSpec): EditedPipeline {
  const graphs = Object.entries({ "": spec.root, ...spec.components }).filter(([, { dag }]) => dag !== undefined);
  const [component, of] = random.pick(graphs);
  const tasks = of.dag?.tasks ?? {};
  const name = random.pick(Object.keys(tasks));
  const task = tasks[name] as TaskSpec;
  switch (random.below(6)) {
    case 0:
      return { spec: JSON.parse(JSON.stringify(spec, (_key, value: unknown) => reversed(value))) as PipelineSpec };
    case 1: {
      if (task.componentRef.name !== "comp-leaf") return { spec };
      const recoded = withTask(spec, component, { ...tasks, [name]: { ...task, componentRef: { name: "comp-recoded" } } });
      const executors = { ...spec.deploymentSpec?.executors, recoded: { container: { image: "i", args: ["{{$}}", "version 2"] } } };
      const leaf = { ...spec.components?.["comp-leaf"], executorLabel: "recoded" };
      return {
        spec: { ...recoded, components: { ...recoded.components, "comp-recoded": leaf }, deploymentSpec: { executors } },
        recoded: { component, task: name },
      };
    }
    case 2:
      return { spec: withTask(spec, component, { ...tasks, added: { componentRef: { name: "comp-leaf" }, dependentTasks: [name] } }) };
    case 3: {
      const { [name]: _gone, ...rest } = tasks;
      const isUsed = JSON.stringify([rest, of.dag?.outputs]).includes(`"${name}"`);
      return { spec: isUsed || Object.keys(rest).length === 0 ? spec : withTask(spec, component, rest) };
    }
    case 4: {
      const triggerPolicy = { ...task.triggerPolicy, condition: random.pick(["true", "false"]) };
      return { spec: withTask(spec, component, { ...tasks, [name]: { ...task, triggerPolicy } }) };
    }
    default: {
      if (task.componentRef.name === "comp-importer") return { spec };
      const parameters = { ...task.inputs?.parameters, s: { runtimeValue: { constant: random.pick(["1", "9"]) } } };
      return { spec: withTask(spec, component, { ...tasks, [name]: { ...task, inputs: { ...task.inputs, parameters } } }) };
    }
  }
}

function withTask(spec: PipelineSpec, component: string, tasks: Readonly<Record<string, TaskSpec>>): PipelineSpec {
  const change = (of: ComponentSpec): ComponentSpec => ({ ...of, dag: { ...of.dag, tasks } });
  if (component === "") return { ...spec, root: change(spec.root) };
  return { ...spec, components: { ...spec.components, [component]: change(spec.components?.[component] ?? {}) } };
}

function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).reverse());
}
