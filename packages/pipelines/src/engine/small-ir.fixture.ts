import type { ComponentSpec, ExecutorSpec, InputDefinitions, InputParameterSpec, OutputDefinitions, ParameterType, TaskSpec } from "../domain/ir.ts";

const ARTIFACT = { artifactType: { schemaTitle: "system.Dataset" } };

type Input = ParameterType | InputParameterSpec;

/** Input parameters by their types alone, and artifacts by name. */
export function takes(parameters: Readonly<Record<string, Input>>, artifacts: readonly string[] = []): { inputDefinitions: InputDefinitions } {
  const specs = Object.entries(parameters).map(([name, one]) => [name, typeof one === "string" ? { parameterType: one } : one]);
  return { inputDefinitions: { parameters: Object.fromEntries(specs), artifacts: Object.fromEntries(artifacts.map((name) => [name, ARTIFACT])) } };
}

/** Output parameters by their types alone, and artifacts by name. */
export function gives(
  parameters: Readonly<Record<string, ParameterType>>,
  artifacts: readonly string[] = [],
): { outputDefinitions: OutputDefinitions } {
  const specs = Object.entries(parameters).map(([name, parameterType]) => [name, { parameterType }]);
  return { outputDefinitions: { parameters: Object.fromEntries(specs), artifacts: Object.fromEntries(artifacts.map((name) => [name, ARTIFACT])) } };
}

/** A pipeline as text: its tasks, its components, and executors called as they are; a component without a graph is run by `run` if it names none. */
export function ir(
  tasks: Readonly<Record<string, TaskSpec>>,
  components: Readonly<Record<string, Omit<ComponentSpec, "executorLabel"> & { readonly executorLabel?: string }>>,
  more: {
    readonly executors?: Readonly<Record<string, ExecutorSpec>>;
    readonly root?: Omit<ComponentSpec, "dag">;
    readonly kubernetes?: object;
    readonly args?: readonly string[];
  } = {},
): string {
  const { executors = {}, root = {}, kubernetes, args = ["{{$}}"] } = more;
  const whole = Object.entries(components).map(([name, one]) => [name, one.dag === undefined ? { executorLabel: "run", ...one } : one]);
  const spec = {
    schemaVersion: "2.1.0",
    pipelineInfo: { name: "small" },
    root: { ...root, dag: { tasks } },
    components: Object.fromEntries(whole),
    deploymentSpec: { executors: { run: { container: { image: "i", command: ["c"], args } }, ...executors } },
  };
  const documents = kubernetes === undefined ? [spec] : [spec, { platforms: { kubernetes } }];
  return documents.map((one) => JSON.stringify(one)).join("\n---\n");
}
