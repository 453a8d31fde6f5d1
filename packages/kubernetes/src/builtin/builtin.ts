import { defineResource, type Resource } from "../resource.ts";
import type { KubernetesObject } from "../object.ts";
import { TRAITS } from "./traits.ts";

/** What the generated files say of a kind; what `traits.ts` says is added. */
export interface BuiltinOptions {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  /** Full name of its definition. */
  readonly definition: string;
  readonly status: boolean;
}

/** Defines one of Kubernetes' own kinds. Its schema is a `ref`, so that nothing is compiled before it is used. */
export function builtin<T extends KubernetesObject>(options: BuiltinOptions): Resource<T> {
  const { definition, status, ...identity } = options;
  const { scale, ...traits } = TRAITS[`${options.group}/${options.kind}`] ?? {};
  const subresources = scale === undefined ? { status } : { status, scale };
  return defineResource<T>({ ...identity, ...traits, subresources, schema: { ref: definition } });
}
