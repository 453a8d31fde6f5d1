import { parseAllDocuments } from "yaml";
import { compile } from "./compile.ts";
import type { Pipeline } from "./pipeline.ts";

interface Ports {
  readonly parameters?: Readonly<Record<string, { readonly parameterType: string }>>;
  readonly artifacts?: Readonly<
    Record<string, { readonly isArtifactList?: boolean; readonly isOptional?: boolean; readonly artifactType: { readonly schemaTitle: string } }>
  >;
}
interface Source {
  readonly componentInputParameter?: string;
  readonly componentInputArtifact?: string;
  readonly taskOutputParameter?: { readonly producerTask: string; readonly outputParameterKey: string };
  readonly taskOutputArtifact?: { readonly producerTask: string; readonly outputArtifactKey: string };
  readonly taskFinalStatus?: { readonly producerTask: string };
  readonly parameterExpressionSelector?: string;
}
interface Selector {
  readonly producerSubtask: string;
  readonly outputParameterKey?: string;
  readonly outputArtifactKey?: string;
}
interface Task {
  readonly componentRef: { readonly name: string };
  readonly dependentTasks?: readonly string[];
  readonly inputs?: { readonly parameters?: Readonly<Record<string, Source>>; readonly artifacts?: Readonly<Record<string, Source>> };
  readonly triggerPolicy?: { readonly condition?: string };
  readonly artifactIterator?: { readonly itemInput: string };
  readonly parameterIterator?: { readonly itemInput: string; readonly items: { readonly inputParameter?: string; readonly raw?: string } };
}
interface Component {
  readonly inputDefinitions?: Ports;
  readonly outputDefinitions?: Ports;
  readonly executorLabel?: string;
  readonly dag?: {
    readonly tasks: Readonly<Record<string, Task>>;
    readonly outputs?: {
      readonly parameters?: Readonly<
        Record<string, { readonly valueFromParameter?: Selector; readonly valueFromOneof?: { readonly parameterSelectors: readonly Selector[] } }>
      >;
      readonly artifacts?: Readonly<Record<string, { readonly artifactSelectors: readonly Selector[] }>>;
    };
  };
}
interface Spec {
  readonly root: Component;
  readonly components: Readonly<Record<string, Component>>;
  readonly deploymentSpec: { readonly executors: Readonly<Record<string, object>> };
}

/** What is wrong with a compiled pipeline: names that lead nowhere, types that do not meet, tasks that wait in a circle. */
export function faultsOf(pipeline: Pipeline): readonly string[] {
  const { root, components, deploymentSpec } = parseAllDocuments(compile(pipeline))[0]!.toJS() as Spec;
  const faults: string[] = [];
  const check = (isRight: boolean, fault: string): void => void (isRight || faults.push(fault));

  for (const [name, { dag, inputDefinitions, outputDefinitions, executorLabel }] of Object.entries({ root, ...components })) {
    if (dag === undefined) {
      check(executorLabel !== undefined && executorLabel in deploymentSpec.executors, `${name} has no executor`);
      continue;
    }
    const { tasks, outputs = {} } = dag;
    const componentOf = (task: string): Component | undefined => components[tasks[task]?.componentRef.name ?? ""];
    const before = new Map(Object.entries(tasks).map(([key, { dependentTasks = [] }]) => [key, dependentTasks]));
    const isCircular = (task: string, path: readonly string[] = []): boolean =>
      path.includes(task) || (before.get(task) ?? []).some((other) => isCircular(other, [...path, task]));

    for (const [key, task] of Object.entries(tasks)) {
      const at = `${name}/${key}`;
      const component = components[task.componentRef.name];
      check(component !== undefined, `${at}: no component ${task.componentRef.name}`);
      check(!isCircular(key), `${at} waits for itself`);
      for (const other of task.dependentTasks ?? []) check(other in tasks, `${at} waits for ${other}, which is not there`);
      const wants = component?.inputDefinitions ?? {};
      for (const [input, { parameterType: wanted }] of Object.entries(wants.parameters ?? {})) {
        const source = task.inputs?.parameters?.[input];
        if (input === task.parameterIterator?.itemInput) {
          check(source === undefined, `${at}: ${input} is given twice`);
          continue;
        }
        if (source === undefined) continue;
        const { taskOutputParameter: made, componentInputParameter: own, parameterExpressionSelector: selector } = source;
        const type =
          made !== undefined
            ? componentOf(made.producerTask)?.outputDefinitions?.parameters?.[made.outputParameterKey]?.parameterType
            : own !== undefined
              ? inputDefinitions?.parameters?.[own]?.parameterType
              : wanted;
        if (made !== undefined) check(task.dependentTasks?.includes(made.producerTask) === true, `${at} does not wait for ${made.producerTask}`);
        const isNumber = (name: string | undefined): boolean => name?.startsWith("NUMBER_") === true;
        const fits = type === wanted || (isNumber(type) && isNumber(wanted));
        check(selector === undefined ? fits : type === "STRUCT", `${at}: ${input} takes ${wanted}, not ${type}`);
      }
      for (const [input, { isArtifactList: wanted = false, isOptional = false }] of Object.entries(wants.artifacts ?? {})) {
        const isGiven = input in (task.inputs?.artifacts ?? {});
        if (!isGiven && (isOptional || input === task.artifactIterator?.itemInput)) continue;
        const { taskOutputArtifact: made, componentInputArtifact: own = "" } = task.inputs?.artifacts?.[input] ?? {};
        const type =
          made === undefined
            ? inputDefinitions?.artifacts?.[own]
            : componentOf(made.producerTask)?.outputDefinitions?.artifacts?.[made.outputArtifactKey];
        if (made !== undefined) check(task.dependentTasks?.includes(made.producerTask) === true, `${at} does not wait for ${made.producerTask}`);
        check(type !== undefined && (type.isArtifactList ?? false) === wanted, `${at}: ${input} gets ${JSON.stringify(type)}`);
      }
      const given = [...Object.keys(task.inputs?.parameters ?? {}), ...Object.keys(task.inputs?.artifacts ?? {})];
      // What is written into strings travels beside the declared inputs.
      const declared = given.filter((input) => !(input.startsWith("pipelinechannel--") && component?.executorLabel !== undefined));
      for (const input of declared) check(input in { ...wants.parameters, ...wants.artifacts }, `${at}: no input ${input}`);
      for (const [, input = ""] of task.triggerPolicy?.condition?.matchAll(/parameter_values\['([^']+)'\]/gu) ?? [])
        check(input in (wants.parameters ?? {}), `${at}: its condition reads ${input}`);
      const items = task.parameterIterator?.items.inputParameter;
      if (items !== undefined) check(wants.parameters?.[items]?.parameterType === "LIST", `${at}: it goes over ${items}`);
    }
    for (const [output, { valueFromParameter: one, valueFromOneof: several }] of Object.entries(outputs.parameters ?? {})) {
      for (const { producerSubtask: task, outputParameterKey: key = "" } of [
        ...(one === undefined ? [] : [one]),
        ...(several?.parameterSelectors ?? []),
      ]) {
        check(key in (componentOf(task)?.outputDefinitions?.parameters ?? {}), `${name}: output ${output} comes from ${task}.${key}`);
      }
      check(output in (outputDefinitions?.parameters ?? {}), `${name}: output ${output} is not declared`);
    }
    for (const [output, { artifactSelectors }] of Object.entries(outputs.artifacts ?? {})) {
      for (const { producerSubtask: task, outputArtifactKey: key = "" } of artifactSelectors) {
        check(key in (componentOf(task)?.outputDefinitions?.artifacts ?? {}), `${name}: output ${output} comes from ${task}.${key}`);
      }
      check(output in (outputDefinitions?.artifacts ?? {}), `${name}: output ${output} is not declared`);
    }
  }
  return faults;
}
