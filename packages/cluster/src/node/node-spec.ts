import type { Taint } from "@sluice/kubernetes";
import { GPU } from "./gpu/assign-gpus.ts";

/** A node as it is configured; whatever is not given is as this machine has it. */
export interface NodeSpec {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** The node has these whenever it starts. */
  readonly taints?: readonly Taint[] | undefined;
  /** Amounts by resource, such as `cpu: "4"` or `nvidia.com/gpu: "8"`. */
  readonly capacity?: Readonly<Record<string, string>> | undefined;
}

/**
 * The GPUs of each node, by name. Nodes take what they declare one after the other, so that no two have the same device;
 * a node by itself that declares nothing has all that the machine has.
 */
export function gpusByNode(nodes: readonly NodeSpec[], detected: number): ReadonlyMap<string, readonly string[]> {
  let next = 0;
  return new Map(
    nodes.map(({ name, capacity }) => {
      const count = Number(capacity?.[GPU] ?? (nodes.length === 1 ? detected : 0));
      const first = next;
      next += count;
      return [name, Array.from({ length: count }, (_, index) => String(first + index))];
    }),
  );
}
