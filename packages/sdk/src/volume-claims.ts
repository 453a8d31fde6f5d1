import type { Component } from "./component.ts";
import { container } from "./container.ts";
import type { AccessMode } from "./kubernetes-options.ts";
import { list, literal, optional, string, struct, type ParameterType } from "./types.ts";

type Given<T> = ParameterType<T, false>;
type Optional<T> = ParameterType<T | undefined, true>;

/** The inputs of `createPvc`, by the names that servers know. */
export interface CreatePvcInputs {
  readonly access_modes: Given<readonly AccessMode[]>;
  /** E.g. `5Gi`. */
  readonly size: Given<string>;
  readonly pvc_name: Optional<string>;
  /** Instead of a name: the run's name with this after it. */
  readonly pvc_name_suffix: Optional<string>;
  readonly storage_class_name: ParameterType<string, true>;
  readonly volume_name: Optional<string>;
  readonly annotations: Optional<Readonly<Record<string, string>>>;
  readonly data_source: Optional<{ readonly apiGroup?: string; readonly kind: string; readonly name: string }>;
}

/** Makes a PersistentVolumeClaim, and gives its name; the server does it, without a pod. */
export const createPvc: Component<CreatePvcInputs, { readonly name: Given<string> }> = container({
  name: "createpvc",
  image: "argostub/createpvc",
  inputs: {
    access_modes: list(literal(["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"])),
    size: string(),
    pvc_name: optional(string()),
    pvc_name_suffix: optional(string()),
    storage_class_name: string({ default: "" }),
    volume_name: optional(string()),
    annotations: optional(struct<Readonly<Record<string, string>>>()),
    data_source: optional(struct<{ readonly apiGroup?: string; readonly kind: string; readonly name: string }>()),
  },
  outputs: { name: string() },
});

/** Deletes a PersistentVolumeClaim by its name; the server does it, without a pod. */
export const deletePvc: Component<{ readonly pvc_name: Given<string> }, Readonly<Record<never, never>>> = container({
  name: "deletepvc",
  image: "argostub/deletepvc",
  inputs: { pvc_name: string() },
  outputs: {},
});
