import { parseDuration, UserError } from "@sluice/kubernetes";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue, KubernetesExecutorConfig, PvcMount, TaskInputParameter } from "../domain/ir.ts";
import { resolveParameter } from "./inputs.ts";
import { componentOf, own } from "./plan.ts";
import type { ContainerManifest, EnvVar, PodManifest, VolumeMount } from "./pod-types.ts";
import type { RunState } from "./run-state.ts";
import type { TaskRecord } from "./types.ts";
import { workspaceClaimName } from "./volume-claim.ts";

/** As version 1 of the pipelines had it. */
const MAX_STALENESS_ANNOTATION = "pipelines.kubeflow.org/max_cache_staleness";

type Volume = PodManifest["spec"]["volumes"][number];
type Resolve = (input: TaskInputParameter) => JsonValue | undefined;

/** What a pod has because of its pipeline's Kubernetes settings. */
export interface PodExtras {
  readonly volumes: readonly Volume[];
  readonly mounts: readonly VolumeMount[];
  readonly env: readonly EnvVar[];
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly main: Pick<ContainerManifest, "imagePullPolicy" | "securityContext">;
  readonly spec: Partial<PodManifest["spec"]>;
  readonly initContainers: readonly ContainerManifest[];
}

function configOf(run: RunState, task: TaskRecord): KubernetesExecutorConfig {
  const label = componentOf(run.info.spec, task.component).executorLabel ?? "";
  return own(run.info.platform?.platforms.kubernetes.deploymentSpec?.executors, label) ?? {};
}

/** Settings are resolved where the task is: in the graph around it, or around its loop. */
function resolverOf(run: RunState, task: TaskRecord): Resolve {
  const parent = run.get(task.parentId ?? task.id);
  const graph = task.iteration === undefined ? parent : run.get(parent.parentId ?? parent.id);
  return (input) => resolveParameter(run, graph, task, input);
}

/** The text of a setting; an input without a value means that the setting is left out. */
function textOf(what: string, resolve: Resolve, input: TaskInputParameter | undefined, literal: string | undefined): string | undefined {
  if (input === undefined) return literal === "" ? undefined : literal;
  const value = resolve(input) ?? undefined;
  if (value !== undefined && typeof value !== "string") throw new UserError(`${what} must be a string, got ${JSON.stringify(value)}`);
  return value;
}

function claimNameOf(resolve: Resolve, mount: PvcMount): string | undefined {
  const { taskOutputParameter, componentInputParameter, pvcNameParameter, constant } = mount;
  const fromInput = componentInputParameter === undefined ? undefined : { componentInputParameter };
  const old = taskOutputParameter === undefined ? fromInput : { taskOutputParameter };
  return textOf("the name of a volume claim", resolve, pvcNameParameter ?? old, constant);
}

/** The names of the volume claims that a task mounts. */
export function claimNamesOf(run: RunState, task: TaskRecord): readonly string[] {
  const resolve = resolverOf(run, task);
  const names = (configOf(run, task).pvcMount ?? []).flatMap((mount) => claimNameOf(resolve, mount) ?? []);
  return usesWorkspace(run, task) ? [...names, workspaceClaimName(run.info.id)] : names;
}

/** How old a result may be that the task shares (milliseconds), as the pipeline's author says by an annotation of its pod; undefined if not. */
export function maxStalenessOf(run: RunState, task: TaskRecord): number | undefined {
  const text = own(configOf(run, task).podMetadata?.annotations, MAX_STALENESS_ANNOTATION);
  return text === undefined ? undefined : parseDuration(`annotation ${MAX_STALENESS_ANNOTATION}`, text);
}

/** Whether a task sees the run's workspace: one of its inputs names it or lies in it. */
function usesWorkspace(run: RunState, task: TaskRecord): boolean {
  if (run.info.platform?.platforms.kubernetes.pipelineConfig?.workspace === undefined) return false;
  const inArtifacts = Object.values(task.inputs.artifacts).some((list) => list.some(({ metadata }) => metadata["_kfp_workspace"] === true));
  return inArtifacts || JSON.stringify(task.inputs.parameters).includes("/kfp-workspace");
}

function affinityOf(config: KubernetesExecutorConfig, resolve: Resolve): JsonObject | undefined {
  const required: JsonValue[] = [];
  const preferred: JsonValue[] = [];
  let written: JsonObject = {};
  for (const one of config.nodeAffinity ?? []) {
    const { nodeAffinityJson, weight, ...preference } = one;
    const value = isJsonObject(nodeAffinityJson) ? resolve(nodeAffinityJson) : undefined;
    if (isJsonObject(value)) written = { ...written, ...value };
    else if (nodeAffinityJson === undefined && weight === undefined) required.push(preference);
    else if (weight !== undefined) preferred.push({ weight: Number(weight), preference });
  }
  const nodeAffinity: JsonObject = {
    ...(required.length > 0 ? { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: required } } : {}),
    ...(preferred.length > 0 ? { preferredDuringSchedulingIgnoredDuringExecution: preferred } : {}),
    ...written,
  };
  const pods: Record<"podAffinity" | "podAntiAffinity", Record<string, JsonValue[]>> = { podAffinity: {}, podAntiAffinity: {} };
  for (const one of config.podAffinity ?? []) {
    const term: JsonObject = {
      topologyKey: one["topologyKey"] ?? "kubernetes.io/hostname",
      labelSelector: selectorOf(one["matchPodExpressions"], one["matchPodLabels"]),
      ...(one["namespaces"] === undefined ? {} : { namespaces: one["namespaces"] }),
      ...(one["matchNamespaceExpressions"] === undefined && one["matchNamespaceLabels"] === undefined
        ? {}
        : { namespaceSelector: selectorOf(one["matchNamespaceExpressions"], one["matchNamespaceLabels"]) }),
    };
    const kind = pods[one["anti"] === true ? "podAntiAffinity" : "podAffinity"];
    const weight = one["weight"];
    if (weight === undefined) (kind["requiredDuringSchedulingIgnoredDuringExecution"] ??= []).push(term);
    else (kind["preferredDuringSchedulingIgnoredDuringExecution"] ??= []).push({ weight: Number(weight), podAffinityTerm: term });
  }
  const affinity: JsonObject = Object.fromEntries(Object.entries({ nodeAffinity, ...pods }).filter(([, value]) => Object.keys(value).length > 0));
  return Object.keys(affinity).length > 0 ? affinity : undefined;
}

function selectorOf(expressions: JsonValue | undefined, labels: JsonValue | undefined): JsonObject {
  return { ...(expressions === undefined ? {} : { matchExpressions: expressions }), ...(labels === undefined ? {} : { matchLabels: labels }) };
}

function tolerationsOf(config: KubernetesExecutorConfig, resolve: Resolve): readonly JsonObject[] {
  return (config.tolerations ?? []).flatMap(({ tolerationJson, tolerationSeconds, ...toleration }) => {
    if (tolerationJson === undefined) {
      return [{ ...toleration, ...(tolerationSeconds === undefined ? {} : { tolerationSeconds: Number(tolerationSeconds) }) }];
    }
    const value = resolve(tolerationJson) ?? null;
    const list: readonly JsonValue[] = Array.isArray(value) ? value : value === null ? [] : [value];
    return list.map((one) => {
      if (!isJsonObject(one)) throw new UserError(`a toleration must be an object, got ${JSON.stringify(one)}`);
      return one;
    });
  });
}

function nodeSelectorOf(config: KubernetesExecutorConfig, resolve: Resolve): Record<string, string> | undefined {
  const { labels, nodeSelectorJson } = config.nodeSelector ?? {};
  const value = nodeSelectorJson === undefined ? undefined : resolve(nodeSelectorJson);
  const selector = isJsonObject(value) ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)])) : { ...labels };
  return Object.keys(selector).length > 0 ? selector : undefined;
}

/** Everything that a task's Kubernetes settings add to its pod. */
export function extrasOf(run: RunState, task: TaskRecord): PodExtras {
  const config = configOf(run, task);
  const resolve = resolverOf(run, task);
  const volumes = new Map<string, Volume>();
  const mounts: VolumeMount[] = [];
  const env: EnvVar[] = [];
  const mount = (volume: Volume, mountPath: string, subPath?: string): void => {
    // A secret and a claim may have the same name, their volumes may not.
    const known = volumes.get(volume.name);
    const isTaken = known !== undefined && JSON.stringify(known) !== JSON.stringify(volume);
    const name = isTaken ? `${volume.name}-${volumes.size}` : volume.name;
    volumes.set(name, { ...volume, name });
    mounts.push({ name, mountPath, ...(subPath === undefined || subPath === "" ? {} : { subPath }) });
  };
  for (const { secretName, secretNameParameter, mountPath, optional = false } of config.secretAsVolume ?? []) {
    const name = textOf("the name of a secret", resolve, secretNameParameter, secretName);
    if (name !== undefined) mount({ name, secret: { secretName: name, optional } }, mountPath);
  }
  for (const { configMapName, configMapNameParameter, mountPath, optional = false } of config.configMapAsVolume ?? []) {
    const name = textOf("the name of a config map", resolve, configMapNameParameter, configMapName);
    if (name !== undefined) mount({ name, configMap: { name, optional } }, mountPath);
  }
  for (const { secretName, secretNameParameter, keyToEnv = [], optional } of config.secretAsEnv ?? []) {
    const name = textOf("the name of a secret", resolve, secretNameParameter, secretName);
    if (name === undefined) continue;
    const rest = optional === undefined ? {} : { optional };
    for (const { secretKey, envVar } of keyToEnv) env.push({ name: envVar, valueFrom: { secretKeyRef: { name, key: secretKey, ...rest } } });
  }
  for (const { configMapName, configMapNameParameter, keyToEnv = [], optional } of config.configMapAsEnv ?? []) {
    const name = textOf("the name of a config map", resolve, configMapNameParameter, configMapName);
    if (name === undefined) continue;
    const rest = optional === undefined ? {} : { optional };
    for (const { configMapKey, envVar } of keyToEnv) {
      env.push({ name: envVar, valueFrom: { configMapKeyRef: { name, key: configMapKey, ...rest } } });
    }
  }
  for (const pvc of config.pvcMount ?? []) {
    const name = claimNameOf(resolve, pvc);
    if (name !== undefined) mount({ name, persistentVolumeClaim: { claimName: name } }, pvc.mountPath, pvc.subPath);
  }
  for (const { volumeName, mountPath, medium, sizeLimit } of config.emptyDirMounts ?? []) {
    const emptyDir = { ...(medium ? { medium } : {}), ...(sizeLimit ? { sizeLimit } : {}) };
    mount({ name: volumeName, emptyDir }, mountPath);
  }
  if (config.enabledSharedMemory !== undefined) {
    const { volumeName = "shm", size } = config.enabledSharedMemory;
    mount({ name: volumeName, emptyDir: { medium: "Memory", ...(size ? { sizeLimit: size } : {}) } }, "/dev/shm");
  }
  for (const volume of config.genericEphemeralVolume ?? []) {
    const { volumeName, mountPath, accessModes = [], size = "", storageClassName, metadata } = volume;
    const spec = { accessModes, resources: { requests: { storage: size } }, ...(storageClassName ? { storageClassName } : {}) };
    const volumeClaimTemplate = { ...(metadata === undefined ? {} : { metadata }), spec };
    mount({ name: String(volumeName), ephemeral: { volumeClaimTemplate } }, String(mountPath));
  }
  if (usesWorkspace(run, task)) {
    mount({ name: "kfp-workspace", persistentVolumeClaim: { claimName: workspaceClaimName(run.info.id) } }, "/kfp-workspace");
  }
  for (const { name, fieldPath } of config.fieldPathAsEnv ?? []) env.push({ name, valueFrom: { fieldRef: { fieldPath } } });

  const { runAsUser, runAsGroup, runAsNonRoot } = config.securityContext ?? {};
  const seconds = Number(config.activeDeadlineSeconds ?? 0);
  const nodeSelector = nodeSelectorOf(config, resolve);
  const tolerations = tolerationsOf(config, resolve);
  const affinity = affinityOf(config, resolve);
  const imagePullSecrets = (config.imagePullSecret ?? []).flatMap(({ secretName, secretNameParameter }) => {
    const name = textOf("the name of an image pull secret", resolve, secretNameParameter, secretName);
    return name === undefined ? [] : [{ name }];
  });
  return {
    volumes: [...volumes.values()],
    mounts,
    env,
    labels: { ...config.podMetadata?.labels },
    annotations: { ...config.podMetadata?.annotations },
    main: {
      ...(config.imagePullPolicy === undefined ? {} : { imagePullPolicy: config.imagePullPolicy }),
      ...(config.securityContext === undefined
        ? {}
        : {
            securityContext: {
              ...(runAsUser === undefined ? {} : { runAsUser: Number(runAsUser) }),
              ...(runAsGroup === undefined ? {} : { runAsGroup: Number(runAsGroup) }),
              ...(runAsNonRoot === undefined ? {} : { runAsNonRoot }),
              capabilities: { drop: ["ALL"] },
            },
          }),
    },
    spec: {
      ...(seconds > 0 ? { activeDeadlineSeconds: seconds } : {}),
      ...(nodeSelector === undefined ? {} : { nodeSelector }),
      ...(tolerations.length > 0 ? { tolerations } : {}),
      ...(affinity === undefined ? {} : { affinity }),
      ...(imagePullSecrets.length > 0 ? { imagePullSecrets } : {}),
    },
    initContainers: (config.initContainers ?? []).map((container) => ({
      ...container,
      name: String(container["name"]),
      image: String(container["image"]),
      ...(Array.isArray(container["volumeMounts"]) ? { volumeMounts: container["volumeMounts"].map(initMount) } : {}),
    })),
  };
}

/** The protocol names the volume differently from Kubernetes. */
function initMount(mount: JsonValue): VolumeMount {
  const { volumeName, name = volumeName, mountPath } = isJsonObject(mount) ? mount : {};
  return { name: String(name), mountPath: String(mountPath) };
}
