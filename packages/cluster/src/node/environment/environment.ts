import type { Container, EnvVar } from "@sluice/kubernetes";
import { ConfigError } from "./config-error.ts";
import { fieldValue, resourceValue, type DownwardSource } from "./downward-api.ts";
import { expand } from "./expand.ts";
import type { Reference, References } from "./references.ts";

/** What a container's environment is made from. */
export interface EnvironmentSource extends DownwardSource {
  readonly references: References;
  /** Those of the services that the pod is to know. */
  readonly serviceVariables: ReadonlyMap<string, string>;
  readonly hostname: string;
}

/**
 * A container's variables in Kubernetes' order, later ones winning: those of services, `envFrom`, `env`. A value may
 * name variables before it. Throws `ConfigError` where something that is not optional is missing.
 */
export async function environmentOf(container: Container, source: EnvironmentSource): Promise<Map<string, string>> {
  const { hostname, references, pod } = source;
  const namespace = pod.metadata.namespace ?? "";
  const variables = new Map([["HOSTNAME", hostname], ...source.serviceVariables]);
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    for (const reference of [referenceTo("ConfigMap", configMapRef), referenceTo("Secret", secretRef)]) {
      const content = reference === undefined ? undefined : await references.read(namespace, reference);
      for (const [key, value] of content ?? []) variables.set(prefix + key, value.toString("utf8"));
    }
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(variable, container, variables, source);
    if (value !== undefined) variables.set(variable.name, value);
  }
  return variables;
}

/** What a container's environment refers to. */
export function environmentReferences(container: Container): Reference[] {
  const all = [
    ...(container.envFrom ?? []).flatMap(({ configMapRef, secretRef }) => [referenceTo("ConfigMap", configMapRef), referenceTo("Secret", secretRef)]),
    ...(container.env ?? []).flatMap(({ valueFrom }) => [
      referenceTo("ConfigMap", valueFrom?.configMapKeyRef),
      referenceTo("Secret", valueFrom?.secretKeyRef),
    ]),
  ];
  return all.filter((reference) => reference !== undefined);
}

async function valueOf(
  variable: EnvVar,
  container: Container,
  variables: ReadonlyMap<string, string>,
  source: EnvironmentSource,
): Promise<string | undefined> {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return expand(value ?? "", variables);
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldValue(fieldRef, source);
  if (resourceFieldRef !== undefined) {
    const { containerName } = resourceFieldRef;
    const all = [...source.pod.spec.containers, ...(source.pod.spec.initContainers ?? [])];
    return resourceValue(
      resourceFieldRef,
      containerName === undefined || containerName === "" ? container : all.find(({ name }) => name === containerName),
      source,
    );
  }
  const reference = referenceTo("ConfigMap", configMapKeyRef) ?? referenceTo("Secret", secretKeyRef);
  if (reference === undefined) throw new ConfigError(`variable ${variable.name}: this node knows no such valueFrom`);
  const key = configMapKeyRef?.key ?? secretKeyRef?.key ?? "";
  const namespace = source.pod.metadata.namespace ?? "";
  const found = (await source.references.read(namespace, reference))?.get(key);
  if (found === undefined && !reference.isOptional)
    throw new ConfigError(`couldn't find key ${key} in ${reference.kind} ${namespace}/${reference.name}`);
  return found?.toString("utf8");
}

function referenceTo(kind: Reference["kind"], ref: { readonly name?: string; readonly optional?: boolean } | undefined): Reference | undefined {
  return ref === undefined ? undefined : { kind, name: ref.name ?? "", isOptional: ref.optional === true };
}
