import type { Container, Pod } from "@sluice/kubernetes";

/** The resource that stands for GPUs. */
export const GPU = "nvidia.com/gpu";

/** Which devices each container of a pod has, by container. */
export type GpuAssignment = Readonly<Record<string, readonly string[]>>;

/**
 * Gives the containers of a pod devices out of those that are free; undefined if there are too few. Containers and
 * sidecars have theirs for themselves; an init container that ends uses what those after it will have.
 */
export function assignGpus({ spec }: Pod, free: readonly string[]): GpuAssignment | undefined {
  const { initContainers = [], containers } = spec;
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
  const assignment: Record<string, readonly string[]> = {};
  let next = 0;
  const give = (container: Container): void => {
    const count = gpusOf(container);
    if (count > 0) assignment[container.name] = free.slice(next, next + count);
    next += count;
  };
  for (const sidecar of sidecars) give(sidecar);
  const ownedBySidecars = next;
  for (const container of containers) give(container);
  for (const init of initContainers) {
    const count = gpusOf(init);
    if (init.restartPolicy === "Always" || count === 0) continue;
    assignment[init.name] = free.slice(ownedBySidecars, ownedBySidecars + count);
    next = Math.max(next, ownedBySidecars + count);
  }
  return next > free.length ? undefined : assignment;
}

function gpusOf({ resources }: Container): number {
  return Number(resources?.limits?.[GPU] ?? resources?.requests?.[GPU] ?? 0);
}

/** What tells a container's programs which devices are theirs: all others are hidden, if there are any to hide. */
export function gpuVariables(devices: readonly string[] | undefined, hasGpus: boolean): Readonly<Record<string, string>> {
  if (devices !== undefined && devices.length > 0) return { NVIDIA_VISIBLE_DEVICES: devices.join(","), CUDA_VISIBLE_DEVICES: devices.join(",") };
  return hasGpus ? { NVIDIA_VISIBLE_DEVICES: "void", CUDA_VISIBLE_DEVICES: "" } : {};
}
