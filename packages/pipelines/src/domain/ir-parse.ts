import { UserError } from "@sluice/kubernetes";
import { type Document, type ParsedNode, parseAllDocuments } from "yaml";

import type { ComponentSpec, DagSpec, PipelineSpec, PlatformSpec } from "./ir.ts";
import { decode, fault, isObject } from "./ir-shape.ts";
import { pipelineShape, platformShape } from "./ir-shapes.ts";
import { indentQuoted } from "./indent-quoted.ts";

/** A pipeline as uploaded: its specification, and what is particular to Kubernetes. */
export interface ParsedPipeline {
  readonly pipelineSpec: PipelineSpec;
  readonly platformSpec?: PlatformSpec;
}

const SPEC = "pipeline spec";

/** The pipeline written in `text`, one or two YAML or JSON documents. */
export function parsePipeline(text: string): ParsedPipeline {
  const values: unknown[] = [];
  for (const document of documentsOf(text)) {
    const error = document.errors[0];
    if (error !== undefined) throw new UserError(`${SPEC}: not valid YAML: ${error.message}`, { cause: error });
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      throw new UserError(`${SPEC}: not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    if (value !== null && value !== undefined) values.push(value);
  }
  const platforms = values.filter((value) => isObject(value) && Object.hasOwn(value, "platforms"));
  const specs = values.filter((value) => !platforms.includes(value));
  if (specs.length !== 1) throw new UserError(`${SPEC}: expected exactly one pipeline document, found ${specs.length}`);
  if (platforms.length > 1) throw new UserError(`platform spec: expected at most one document, found ${platforms.length}`);
  if (platforms.length === 0) return parsePipelineObject(specs[0]);
  return parsePipelineObject({ pipeline_spec: specs[0], platform_spec: platforms[0] });
}

function documentsOf(text: string): readonly Document.Parsed<ParsedNode>[] {
  const documents = parseAllDocuments(text);
  const isUnindented = documents.some(({ errors }) => errors.some(({ code }) => code === "MISSING_CHAR"));
  return isUnindented ? parseAllDocuments(indentQuoted(text)) : documents;
}

/** The pipeline in `value`: a bare specification, or one wrapped as `{pipeline_spec, platform_spec}`. */
export function parsePipelineObject(value: unknown): ParsedPipeline {
  if (!isObject(value) || !Object.hasOwn(value, "pipeline_spec")) return { pipelineSpec: readSpec(value) };
  const stray = Object.keys(value).find((key) => key !== "pipeline_spec" && key !== "platform_spec");
  if (stray !== undefined) throw fault(SPEC, "", `unknown field "${stray}"`);
  const pipelineSpec = readSpec(value["pipeline_spec"]);
  const platform = value["platform_spec"];
  if (platform === undefined || platform === null) return { pipelineSpec };
  return { pipelineSpec, platformSpec: decode(platform, platformShape, "platform spec", "") as PlatformSpec };
}

function readSpec(value: unknown): PipelineSpec {
  const spec = decode(value, pipelineShape, SPEC, "") as PipelineSpec;
  if (!/[a-z0-9]/.test(spec.pipelineInfo.name)) {
    throw fault(SPEC, "pipelineInfo.name", `${JSON.stringify(spec.pipelineInfo.name)} needs a lower-case letter or a digit`);
  }
  const children = new Map<string, string[]>();
  for (const [name, component] of Object.entries(spec.components ?? {})) {
    children.set(name, checkComponent(spec, component, `components.${name}`));
  }
  checkComponent(spec, spec.root, "root");
  const loop = findCycle(children);
  if (loop !== undefined) throw fault(SPEC, `components.${loop[0]}`, `contains itself: ${loop.join(" -> ")}`);
  return spec;
}

function checkComponent(spec: PipelineSpec, component: ComponentSpec, path: string): string[] {
  if (component.dag !== undefined) return checkDag(spec, component.dag, `${path}.dag`);
  const label = component.executorLabel ?? "";
  if (own(spec.deploymentSpec?.executors, label) === undefined) {
    throw fault(SPEC, `${path}.executorLabel`, `no executor "${label}" in deploymentSpec.executors`);
  }
  return [];
}

function checkDag(spec: PipelineSpec, dag: DagSpec, path: string): string[] {
  const tasks = dag.tasks ?? {};
  const used: string[] = [];
  const edges = new Map<string, string[]>();
  const producer = (at: string, name: string, kind?: "parameters" | "artifacts", key = ""): void => {
    const task = own(tasks, name);
    if (task === undefined) throw fault(SPEC, at, `no task "${name}" in ${path}.tasks`);
    if (kind === undefined) return;
    const from = own(spec.components, task.componentRef.name);
    if (from !== undefined && own<unknown>(from.outputDefinitions?.[kind], key) === undefined) {
      throw fault(SPEC, at, `component "${task.componentRef.name}" of task "${name}" has no output ${kind.slice(0, -1)} "${key}"`);
    }
  };
  for (const [name, task] of Object.entries(tasks)) {
    const at = `${path}.tasks.${name}`;
    const ref = task.componentRef.name;
    if (own(spec.components, ref) === undefined) throw fault(SPEC, `${at}.componentRef.name`, `no component "${ref}" in components`);
    used.push(ref);
    const before = [...(task.dependentTasks ?? [])];
    before.forEach((dependency, index) => producer(`${at}.dependentTasks[${index}]`, dependency));
    for (const [key, input] of Object.entries(task.inputs?.parameters ?? {})) {
      const here = `${at}.inputs.parameters.${key}`;
      const output = input.taskOutputParameter;
      if (output) producer(`${here}.taskOutputParameter`, output.producerTask, "parameters", output.outputParameterKey);
      if (input.taskFinalStatus) producer(`${here}.taskFinalStatus`, input.taskFinalStatus.producerTask);
      const from = output?.producerTask ?? input.taskFinalStatus?.producerTask;
      if (from !== undefined) before.push(from);
    }
    for (const [key, input] of Object.entries(task.inputs?.artifacts ?? {})) {
      const output = input.taskOutputArtifact;
      if (output === undefined) continue;
      producer(`${at}.inputs.artifacts.${key}.taskOutputArtifact`, output.producerTask, "artifacts", output.outputArtifactKey);
      before.push(output.producerTask);
    }
    edges.set(name, before);
  }
  for (const [key, output] of Object.entries(dag.outputs?.parameters ?? {})) {
    const chosen = output.valueFromParameter ? [output.valueFromParameter] : (output.valueFromOneof?.parameterSelectors ?? []);
    for (const one of chosen) producer(`${path}.outputs.parameters.${key}`, one.producerSubtask, "parameters", one.outputParameterKey);
  }
  for (const [key, output] of Object.entries(dag.outputs?.artifacts ?? {})) {
    for (const one of output.artifactSelectors ?? []) {
      producer(`${path}.outputs.artifacts.${key}`, one.producerSubtask, "artifacts", one.outputArtifactKey);
    }
  }
  const loop = findCycle(edges);
  if (loop !== undefined) throw fault(SPEC, `${path}.tasks.${loop[0]}`, `tasks wait for each other: ${loop.join(" -> ")}`);
  return used;
}

function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (done.has(name)) return undefined;
    trail.push(name);
    for (const next of edges.get(name) ?? []) {
      const loop = visit(next);
      if (loop !== undefined) return loop;
    }
    trail.pop();
    done.add(name);
    return undefined;
  };
  for (const name of edges.keys()) {
    const loop = visit(name);
    if (loop !== undefined) return loop;
  }
  return undefined;
}

function own<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
