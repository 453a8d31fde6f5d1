import { ApiError, parseQuantity, UserError } from "@sluice/kubernetes";
import { AGENT_TASK_ENV, type AgentInput, type AgentTask } from "../agent/agent-task.ts";
import { containerUri, type ExecutorInput, localPathOfArtifact } from "../domain/executor-input.ts";
import type { ContainerResources } from "../domain/ir.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
import { type PlaceholderScope, resolveCommandLine, resolveText } from "../domain/placeholders.ts";
import { executorInputOf, homeOf, OUTPUT_DIRECTORY } from "./executor.ts";
import { pipelineValues } from "./inputs.ts";
import { typeOf } from "./parameter-type.ts";
import { componentOf, containerOf } from "./plan.ts";
import { extrasOf } from "./platform.ts";
import {
  AGENT_IMAGE,
  ATTEMPT_LABEL,
  type ContainerManifest,
  type EnvVar,
  MAIN_CONTAINER,
  type PodManifest,
  RUN_LABEL,
  TASK_LABEL,
  type VolumeMount,
} from "./pod-types.ts";
import type { RunState } from "./run-state.ts";
import { keptSettings, taskConfigs, type TaskSettings } from "./task-config.ts";
import { podNameOf } from "./task-id.ts";
import type { EngineContext, TaskRecord } from "./types.ts";

const VOLUME = "artifacts";
/** The whole volume, for programs that find artifacts below `SLUICE_ARTIFACT_ROOT` rather than below `/`. */
const ARTIFACT_ROOT = "/kfp/artifacts";
const SCHEME_DIRECTORIES: readonly (readonly [scheme: string, directory: string])[] = [
  ["minio://", "minio"],
  ["s3://", "s3"],
  ["gs://", "gcs"],
];

/** The pod of a task's present attempt: the user's container as the pipeline has it, and the artifact agent beside it. */
export function podOf(run: RunState, task: TaskRecord, context: Pick<EngineContext, "sha256" | "settings">): PodManifest {
  const { info } = run;
  const { settings, sha256 } = context;
  const component = componentOf(info.spec, task.component);
  const container = containerOf(info.spec, component);
  if (container === undefined) throw new UserError(`component ${JSON.stringify(task.component)} has no container`);
  const plain = executorInputOf(run, task, component, sha256);
  const before: PlaceholderScope = { input: plain, optionalInputs: optionalInputs(component), pipeline: pipelineValues(run, task) };
  const asked: TaskSettings = {
    resources: resourcesOf(container.resources, before),
    env: (container.env ?? []).map(({ name, value = "" }) => ({ name, value })),
    extras: extrasOf(run, task),
  };
  const parameterValues = { ...taskConfigs(component, asked), ...plain.inputs?.parameterValues };
  const input: ExecutorInput = { ...plain, inputs: { ...plain.inputs, parameterValues } };
  const scope: PlaceholderScope = { ...before, input };
  const guarded = resolveCommandLine({ command: container.command ?? [], args: container.args ?? [] }, { ...scope, input: guard(input) });
  const line = { command: guarded.command.map(unguard), args: guarded.args.map(unguard) };
  const { resources, env, extras } = keptSettings(component, asked);

  const inputs = Object.values(task.inputs.artifacts)
    .flat()
    .map((artifact): AgentInput => {
      const { uri, digest, store } = artifact;
      const path = localPathOfArtifact(artifact);
      return { uri, path, ...(digest === undefined ? {} : { digest }), ...(store === undefined ? {} : { store }) };
    });
  const { query } = splitRoot(info.pipelineRoot);
  const agentTask: AgentTask = {
    runId: info.id,
    taskId: task.id,
    attempt: task.attempt,
    inputs: inputs.filter(({ uri, path }) => isStored(uri) && !path.startsWith("/kfp-workspace/")),
    home: homeOf(run, task, sha256),
    ...(query === "" ? {} : { store: query }),
    outputFile: input.outputs?.outputFile ?? "",
    parameters: Object.fromEntries(
      Object.entries(component.outputDefinitions?.parameters ?? {}).map(([name, spec]) => [
        name,
        { type: typeOf(spec), path: input.outputs?.parameters?.[name]?.outputFile ?? "" },
      ]),
    ),
    artifacts: Object.fromEntries(
      Object.entries(input.outputs?.artifacts ?? {}).map(([name, { artifacts }]) => {
        const { type = {}, uri = "", metadata = {} } = artifacts[0] ?? {};
        return [name, { name, type, uri, metadata }];
      }),
    ),
  };
  const outputs = Object.values(agentTask.artifacts).map(({ uri }) => uri);
  const used = [info.pipelineRoot, ...outputs, ...agentTask.inputs.map(({ uri }) => uri)];
  const artifactMounts: VolumeMount[] = [
    { name: VOLUME, mountPath: ARTIFACT_ROOT },
    ...SCHEME_DIRECTORIES.filter(([scheme]) => used.some((uri) => containerUri(uri).startsWith(scheme))).map(([, directory]) => ({
      name: VOLUME,
      mountPath: `/${directory}`,
      subPath: directory,
    })),
    { name: VOLUME, mountPath: OUTPUT_DIRECTORY, subPath: "outputs" },
  ];
  const modelcars = [...new Set(inputs.map(({ uri }) => uri).filter((uri) => uri.startsWith("oci://")))];
  if (modelcars.length > 0 && settings.hasImageVolumes === false) {
    const why = `input artifact ${modelcars.join(", ")} is an image, and the nodes here cannot mount images as volumes`;
    throw new UserError(`${why}. Import its files from a store instead, such as s3:// or file://`);
  }
  const agent = (name: string, verb: string): ContainerManifest => ({
    name,
    image: settings.agentImage ?? AGENT_IMAGE,
    args: [verb],
    env: [{ name: AGENT_TASK_ENV, value: escapeVariables(JSON.stringify(agentTask)) }],
    volumeMounts: [...artifactMounts, ...extras.mounts.filter(({ mountPath }) => mountPath === "/kfp-workspace")],
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: podNameOf(sha256, info.spec.pipelineInfo.name, task, task.attempt),
      namespace: info.namespace,
      labels: {
        ...settings.labels,
        ...extras.labels,
        [RUN_LABEL]: info.id,
        [TASK_LABEL]: task.id,
        [ATTEMPT_LABEL]: String(task.attempt),
        "pipelines.kubeflow.org/v2_component": "true",
      },
      annotations: { ...extras.annotations, "pipelines.kubeflow.org/v2_component": "true", "pipelines.sluice.dev/task-path": task.path },
    },
    spec: {
      restartPolicy: "Never",
      serviceAccountName: info.serviceAccount ?? settings.serviceAccount ?? "pipeline-runner",
      ...extras.spec,
      initContainers: [
        ...(agentTask.inputs.length + outputs.length > 0 ? [agent("fetch", "fetch")] : []),
        { ...agent("publish", "publish"), restartPolicy: "Always" },
        ...extras.initContainers,
      ],
      containers: [
        {
          name: MAIN_CONTAINER,
          image: resolveText(container.image, scope),
          ...(line.command.length > 0 ? { command: line.command } : {}),
          ...(line.args.length > 0 ? { args: line.args } : {}),
          env: environment(task, settings.env ?? {}, [...env, ...extras.env]),
          ...(resources === undefined ? {} : { resources }),
          volumeMounts: [
            ...artifactMounts,
            ...modelcars.map((uri, index) => ({ name: `oci-${index}`, mountPath: modelcarPath(uri), readOnly: true })),
            ...extras.mounts,
          ],
          ...extras.main,
        },
      ],
      volumes: [
        { name: VOLUME, emptyDir: {} },
        ...modelcars.map((uri, index) => ({ name: `oci-${index}`, image: { reference: uri.slice("oci://".length) } })),
        ...extras.volumes,
      ],
    },
  };
}

function isStored(uri: string): boolean {
  return SCHEME_DIRECTORIES.some(([scheme]) => containerUri(uri).startsWith(scheme));
}

function modelcarPath(uri: string): string {
  return localPathOfArtifact({ uri }).replace(/\/models$/, "");
}

/** Kubernetes expands `$(NAME)` in values; `$$` stands for one dollar. */
function escapeVariables(text: string): string {
  return text.replaceAll("$", "$$$$");
}

const GUARD = "\uE0D4";

/** Kubernetes expands variables in the author's words, but must not in the values that replace placeholders: this hides their dollars. */
function guard(input: ExecutorInput): ExecutorInput {
  const text = JSON.stringify(input);
  return text.includes("$") ? (JSON.parse(text.replaceAll("$", GUARD)) as ExecutorInput) : input;
}

function unguard(text: string): string {
  return text.replaceAll(GUARD, "$$$$");
}

function optionalInputs(component: ReturnType<typeof componentOf>): ReadonlySet<string> {
  const { parameters = {}, artifacts = {} } = component.inputDefinitions ?? {};
  const all = [...Object.entries(parameters), ...Object.entries(artifacts)];
  return new Set(all.filter(([, spec]) => spec.isOptional === true).map(([name]) => name));
}

/** The user's variables win over ours, as a later one of the same name does. */
function environment(task: TaskRecord, settings: Readonly<Record<string, string>>, own: readonly EnvVar[]): readonly EnvVar[] {
  const all: EnvVar[] = [
    { name: "KFP_POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "KFP_POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
    { name: "KFP_RETRY_INDEX", value: String(task.retries) },
    { name: "SLUICE_ARTIFACT_ROOT", value: ARTIFACT_ROOT },
    ...Object.entries(settings).map(([name, value]) => ({ name, value })),
    ...own,
  ];
  return [...new Map(all.map((variable) => [variable.name, variable])).values()];
}

function resourcesOf(resources: ContainerResources | undefined, scope: PlaceholderScope): ContainerManifest["resources"] | undefined {
  if (resources === undefined) return undefined;
  const limits: Record<string, string> = {};
  const requests: Record<string, string> = {};
  const set = (into: Record<string, string>, key: string, text: string | undefined, old: string | undefined): void => {
    const value = resolveText(text ?? "", scope) || old;
    if (value === undefined) return;
    try {
      parseQuantity(value);
    } catch (error) {
      if (error instanceof ApiError) throw new UserError(`resource ${key}: ${error.message}`, { cause: error });
      throw error;
    }
    into[key] = value;
  };
  const cores = (count: number | undefined): string | undefined => (count === undefined || count === 0 ? undefined : String(count));
  const gigabytes = (count: number | undefined): string | undefined => (count === undefined || count === 0 ? undefined : `${count}G`);
  set(limits, "cpu", resources.resourceCpuLimit, cores(resources.cpuLimit));
  set(limits, "memory", resources.resourceMemoryLimit, gigabytes(resources.memoryLimit));
  set(requests, "cpu", resources.resourceCpuRequest, cores(resources.cpuRequest));
  set(requests, "memory", resources.resourceMemoryRequest, gigabytes(resources.memoryRequest));
  const { resourceType, type, resourceCount, count } = resources.accelerator ?? {};
  const accelerator = resolveText(resourceType ?? "", scope) || type;
  if (accelerator !== undefined && accelerator !== "") {
    set(limits, accelerator, resourceCount, count === undefined ? undefined : String(count));
  }
  return {
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
  };
}
