import type { ComponentSpec, JsonObject, JsonValue } from "../domain/ir.ts";
import type { PodExtras } from "./platform.ts";
import type { ContainerManifest, EnvVar } from "./pod-types.ts";
import { typeOf } from "./parameter-type.ts";

/** The settings of a task that it may be handed rather than, or besides, its own pod having them. */
export interface TaskSettings {
  readonly resources: ContainerManifest["resources"] | undefined;
  readonly env: readonly EnvVar[];
  readonly extras: PodExtras;
}

type Field = "RESOURCES" | "ENV" | "KUBERNETES_AFFINITY" | "KUBERNETES_TOLERATIONS" | "KUBERNETES_NODE_SELECTOR" | "KUBERNETES_VOLUMES";

/** The values of a component's TASK_CONFIG inputs: those settings that it declares to pass through. */
export function taskConfigs(component: ComponentSpec, { resources, env, extras }: TaskSettings): JsonObject {
  const names = Object.entries(component.inputDefinitions?.parameters ?? {}).filter(([, spec]) => typeOf(spec) === "TASK_CONFIG");
  if (names.length === 0) return {};
  const { affinity, tolerations, nodeSelector } = extras.spec;
  const config = withoutAbsent({
    ...(passes(component, "RESOURCES") ? { resources } : {}),
    ...(passes(component, "ENV") ? { env: [...env, ...extras.env] } : {}),
    ...(passes(component, "KUBERNETES_AFFINITY") ? { affinity } : {}),
    ...(passes(component, "KUBERNETES_TOLERATIONS") ? { tolerations } : {}),
    ...(passes(component, "KUBERNETES_NODE_SELECTOR") ? { nodeSelector } : {}),
    ...(passes(component, "KUBERNETES_VOLUMES") ? { volumes: extras.volumes, volumeMounts: extras.mounts } : {}),
  });
  return Object.fromEntries(names.map(([name]) => [name, config]));
}

/** The settings that the task's own pod keeps: all but those that are passed through without being applied. */
export function keptSettings(component: ComponentSpec, { resources, env, extras }: TaskSettings): TaskSettings {
  const keeps = (field: Field): boolean => (component.taskConfigPassthroughs ?? []).every((one) => one.field !== field || one.applyToTask === true);
  const { affinity, tolerations, nodeSelector, ...spec } = extras.spec;
  const hasVolumes = keeps("KUBERNETES_VOLUMES");
  return {
    resources: keeps("RESOURCES") ? resources : undefined,
    env: keeps("ENV") ? env : [],
    extras: {
      ...extras,
      env: keeps("ENV") ? extras.env : [],
      volumes: hasVolumes ? extras.volumes : [],
      mounts: hasVolumes ? extras.mounts : [],
      spec: {
        ...spec,
        ...(affinity !== undefined && keeps("KUBERNETES_AFFINITY") ? { affinity } : {}),
        ...(tolerations !== undefined && keeps("KUBERNETES_TOLERATIONS") ? { tolerations } : {}),
        ...(nodeSelector !== undefined && keeps("KUBERNETES_NODE_SELECTOR") ? { nodeSelector } : {}),
      },
    },
  };
}

function passes(component: ComponentSpec, field: Field): boolean {
  return (component.taskConfigPassthroughs ?? []).some((one) => one.field === field);
}

function withoutAbsent(fields: Readonly<Record<string, unknown>>): JsonObject {
  const json: JsonValue = JSON.parse(JSON.stringify(fields));
  return json as JsonObject;
}
