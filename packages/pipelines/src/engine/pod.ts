import { ApiError, parseQuantity, UserError } from "@sluice/kubernetes";
import { AGENT_TASK_ENV, type AgentInput, type AgentTask } from "../agent/agent-task.ts";
import { containerUri, type ExecutorInput, localPathOfArtifact } from "../domain/executor-input.ts";
import type { ContainerResources } from "../domain/ir.ts";
import { splitRoot } from "../domain/pipeline-root.ts";
import { type PlaceholderScope, resolveCommandLine, resolveText } from "../domain/placeholders.ts";
import { heldCommand } from "./debug-pause.ts";
import { attemptHome, executorInputOf, homeOfRun, OUTPUT_DIRECTORY } from "./executor.ts";
import { pipelineValues } from "./inputs.ts";
import { needsAgent } from "./needs-agent.ts";
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
/** Where containers put artifacts at paths of their own, which the agent must see to take them. */
const TEMPORARY = "/tmp";
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
  // Kubernetes expands variables in the author's words, but must not in the values that replace placeholders.
  const resolved = resolveCommandLine({ command: container.command ?? [], args: container.args ?? [] }, { ...scope, escape: escapeVariables });
  checkLengths(task, [...resolved.command, ...resolved.args]);
  const { resources, env, extras } = keptSettings(component, asked);
  const command = heldCommand(resolved.command, env, { directory: TEMPORARY, namespace: info.namespace });
  const line = { command, args: resolved.args };

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
    inputs: inputs.filter(({ uri }) => isStored(uri)),
    home: attemptHome(homeOfRun(info), task, sha256),
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
  const hasAgent = needsAgent(task, component, container);
  const isShared = outputs.length > 0 && !extras.mounts.some(({ mountPath }) => mountPath === TEMPORARY);
  const allMounts: VolumeMount[] = [
    ...(isShared ? [{ name: VOLUME, mountPath: TEMPORARY, subPath: "tmp" }] : []),
    { name: VOLUME, mountPath: ARTIFACT_ROOT },
    ...SCHEME_DIRECTORIES.filter(([scheme]) => used.some((uri) => containerUri(uri).startsWith(scheme))).map(([, directory]) => ({
      name: VOLUME,
      mountPath: `/${directory}`,
      subPath: directory,
    })),
    { name: VOLUME, mountPath: OUTPUT_DIRECTORY, subPath: "outputs" },
  ];
  const artifactMounts = hasAgent ? allMounts : [];
  const modelcars = [...new Set(inputs.map(({ uri }) => uri).filter((uri) => uri.startsWith("oci://")))];
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
        ...(hasAgent ? [{ ...agent("publish", "publish"), restartPolicy: "Always" }] : []),
        ...extras.initContainers,
      ],
      containers: [
        {
          name: MAIN_CONTAINER,
          image: resolveText(container.image, scope),
          ...(line.command.length > 0 ? { command: line.command } : {}),
          ...(line.args.length > 0 ? { args: line.args } : {}),
          env: environment(task, { ...(hasAgent ? { SLUICE_ARTIFACT_ROOT: ARTIFACT_ROOT } : {}), ...settings.env }, [...env, ...extras.env]),
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
        ...(hasAgent ? [{ name: VOLUME, emptyDir: {} }] : []),
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

/** The longest argument, in bytes, that Linux hands to a program. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

/** No program on Linux can be started with a longer argument: better to be told so than of a container that does not start. */
function checkLengths(task: TaskRecord, texts: readonly string[]): void {
  for (const [index, text] of texts.entries()) {
    // A character is at most three bytes in UTF-8 for each of its units here.
    if (text.length * 3 <= LONGEST_ARGUMENT) continue;
    const length = new TextEncoder().encode(text.replaceAll("$$", "$")).length;
    if (length <= LONGEST_ARGUMENT) continue;
    const given = Object.entries(task.inputs.parameters).map(([name, value]) => [name, JSON.stringify(value).length] as const);
    const [name, size] = given.toSorted(([, a], [, b]) => b - a)[0] ?? ["", 0];
    const culprit = size * 2 > length ? `, of which input parameter ${JSON.stringify(name)} is most` : "";
    throw new UserError(`word ${index + 1} of its command line has ${length} bytes${culprit}: Linux takes no more than ${LONGEST_ARGUMENT}`, {
      fix: "Pass large values as artifacts, and large code as part of the image.",
    });
  }
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
