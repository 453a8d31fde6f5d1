import type { Pod } from "@sluice/kubernetes";
import { PodDirectory } from "../runtime/pod-directory.ts";
import { assignGpus, gpuVariables, type GpuAssignment } from "./assign-gpus.ts";

/** Which pod of a node has which of its GPUs: kept beside the pod, so that a later process knows it. */
export class Gpus {
  readonly #directory: string;
  readonly #devices: readonly string[];
  readonly #assigned = new Map<string, GpuAssignment>();

  /** `devices` are the node's; `pods` are the uids of those that may have some. */
  constructor(directory: string, devices: readonly string[], pods: Iterable<string>) {
    this.#directory = directory;
    this.#devices = devices;
    for (const uid of pods) {
      const assignment = new PodDirectory(directory, uid).readGpus();
      if (assignment !== undefined) this.#assigned.set(uid, assignment);
    }
  }

  /** Gives a pod its devices, or says why it cannot have them. */
  claim(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
    const { uid = "" } = pod.metadata;
    if (this.#assigned.has(uid)) return undefined;
    const taken = new Set([...this.#assigned.values()].flatMap((assignment) => Object.values(assignment).flat()));
    const free = this.#devices.filter((device) => !taken.has(device));
    const assignment = assignGpus(pod, free);
    if (assignment === undefined) {
      const message = `Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Available: ${free.length}`;
      return { reason: "UnexpectedAdmissionError", message };
    }
    if (Object.keys(assignment).length === 0) return undefined;
    new PodDirectory(this.#directory, uid).writeGpus(assignment);
    this.#assigned.set(uid, assignment);
    return undefined;
  }

  /** The pod needs them no more. */
  release({ metadata }: Pod): void {
    this.#assigned.delete(metadata.uid ?? "");
  }

  /** The variables by which a container's programs know their devices. */
  variables(podUid: string, container: string): Readonly<Record<string, string>> {
    return gpuVariables(this.#assigned.get(podUid)?.[container], this.#devices.length > 0);
  }
}
