import { isReference, type Reference, type Text, type Value } from "./graph.ts";
import type { EnvSource, EphemeralVolume, KubernetesOptions, Toleration } from "./kubernetes-options.ts";
import type { Tree } from "./wiring.ts";

/** A value as the platform's part of the document has it. */
type Resolve = (value: string | Reference | Text) => Tree;

/** A task's Kubernetes settings as the document has them, with the names and order of the Python SDK. */
export function kubernetesConfig(options: KubernetesOptions, timeoutSeconds: number | undefined, resolve: Resolve): Tree {
  const { env = {}, volumes = {}, nodeSelector, tolerations, nodeAffinity, podAffinity, labels, annotations } = options;
  const { imagePullPolicy, imagePullSecrets, securityContext, sharedMemory, initContainers } = options;
  // The name both as servers read it and as older ones do.
  const named = (key: "secretName" | "configMapName", value: Value): Tree => ({
    ...(typeof value === "string" ? { [key]: value } : {}),
    [`${key}Parameter`]: resolve(value),
  });
  const mounts = Object.entries(volumes);
  const lists: Readonly<Record<string, readonly Tree[]>> = {
    secretAsVolume: mounts.flatMap(([mountPath, volume]) =>
      "secret" in volume ? [{ mountPath, optional: volume.optional ?? false, ...named("secretName", volume.secret) }] : [],
    ),
    configMapAsVolume: mounts.flatMap(([mountPath, volume]) =>
      "configMap" in volume ? [{ mountPath, optional: volume.optional ?? false, ...named("configMapName", volume.configMap) }] : [],
    ),
    pvcMount: mounts.flatMap(([mountPath, volume]) => {
      if (!("claim" in volume)) return [];
      const { claim, subPath } = volume;
      const { runtimeValue, parameterExpressionSelector: field, ...made } = resolve(claim);
      const old = typeof claim === "string" ? { constant: claim } : runtimeValue === undefined && field === undefined ? made : {};
      return [{ mountPath, ...old, pvcNameParameter: resolve(claim), ...(subPath === undefined ? {} : { subPath }) }];
    }),
    emptyDirMounts: mounts.flatMap(([mountPath, volume]) => {
      if (!("emptyDir" in volume)) return [];
      const { name, ...rest } = volume.emptyDir;
      return [{ volumeName: name, mountPath, ...rest }];
    }),
    genericEphemeralVolume: mounts.flatMap(([mountPath, volume]) => ("ephemeral" in volume ? [ephemeral(mountPath, volume.ephemeral)] : [])),
    secretAsEnv: environment(env, "secret", (value, keys) => ({
      ...named("secretName", value),
      keyToEnv: keys.map(([envVar, secretKey]) => ({ secretKey, envVar })),
    })),
    configMapAsEnv: environment(env, "configMap", (value, keys) => ({
      ...named("configMapName", value),
      keyToEnv: keys.map(([envVar, configMapKey]) => ({ configMapKey, envVar })),
    })),
    fieldPathAsEnv: Object.entries(env).flatMap(([name, source]) => ("fieldPath" in source ? [{ name, fieldPath: source.fieldPath }] : [])),
    tolerations: (tolerations ?? []).map((one) => (isReference(one) ? { tolerationJson: resolve(one) } : toleration(one))),
    nodeAffinity: (nodeAffinity ?? []).map((one) => (isReference(one) ? { nodeAffinityJson: resolve(one) } : { ...one })),
    podAffinity: (podAffinity ?? []).map((one) => ({ ...one })),
    imagePullSecret: (imagePullSecrets ?? []).map((name) => named("secretName", name)),
    initContainers: (initContainers ?? []).map((one) => ({ ...one })),
  };
  return {
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
    ...(nodeSelector === undefined
      ? {}
      : { nodeSelector: isReference(nodeSelector) ? { nodeSelectorJson: resolve(nodeSelector) } : { labels: nodeSelector } }),
    ...metadata(labels, annotations, "podMetadata"),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    ...(securityContext === undefined ? {} : { securityContext: user(securityContext) }),
    ...(sharedMemory === undefined ? {} : { enabledSharedMemory: { volumeName: "shm", ...sharedMemory } }),
    ...(timeoutSeconds === undefined ? {} : { activeDeadlineSeconds: String(timeoutSeconds) }),
  };
}

type Keys = readonly (readonly [variable: string, key: string])[];

/** Variables of one secret, or config map, share an entry. */
function environment(
  env: Readonly<Record<string, EnvSource>>,
  kind: "secret" | "configMap",
  entry: (value: Value, keys: Keys) => Tree,
): readonly Tree[] {
  const groups: { readonly value: Value; readonly optional: boolean; readonly keys: (readonly [string, string])[] }[] = [];
  for (const [variable, source] of Object.entries(env)) {
    if ("fieldPath" in source) continue;
    const value = kind === "secret" ? ("secret" in source ? source.secret : undefined) : "configMap" in source ? source.configMap : undefined;
    if (value === undefined) continue;
    const { key, optional = false } = source;
    const known = groups.find((group) => group.value === value && group.optional === optional);
    if (known === undefined) groups.push({ value, optional, keys: [[variable, key]] });
    else known.keys.push([variable, key]);
  }
  return groups.map(({ value, optional, keys }) => ({ ...entry(value, keys), optional }));
}

function ephemeral(mountPath: string, { name, accessModes, size, storageClassName, labels, annotations }: EphemeralVolume): Tree {
  return {
    ...{ volumeName: name, mountPath, accessModes, size },
    ...(storageClassName === undefined ? { defaultStorageClass: true } : { storageClassName }),
    ...metadata(labels, annotations, "metadata"),
  };
}

type Texts = Readonly<Record<string, string>> | undefined;
function metadata(labels: Texts, annotations: Texts, key: string): Tree {
  if (labels === undefined && annotations === undefined) return {};
  return { [key]: { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) } };
}

function toleration({ tolerationSeconds, ...rest }: Toleration): Tree {
  return { ...rest, ...(tolerationSeconds === undefined ? {} : { tolerationSeconds: String(tolerationSeconds) }) };
}

function user({ runAsUser, runAsGroup, runAsNonRoot }: NonNullable<KubernetesOptions["securityContext"]>): Tree {
  return {
    ...(runAsUser === undefined ? {} : { runAsUser: String(runAsUser) }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: String(runAsGroup) }),
    ...(runAsNonRoot === undefined ? {} : { runAsNonRoot }),
  };
}
