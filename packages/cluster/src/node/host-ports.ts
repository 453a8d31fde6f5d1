import type { Pod } from "@sluice/kubernetes";

/** Which pod has which of this machine's ports. */
export class HostPorts {
  readonly #owners = new Map<string, string>();

  /** Takes a pod's ports, or says why it cannot have them. */
  claim(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
    const { uid = "" } = pod.metadata;
    const ports = hostPortsOf(pod);
    const taken = ports.filter((port) => (this.#owners.get(port) ?? uid) !== uid);
    if (taken.length > 0) return { reason: "NodePorts", message: `Pod was rejected: another pod on this machine has port ${taken.join(", ")}` };
    for (const port of ports) this.#owners.set(port, uid);
    return undefined;
  }

  release(pod: Pod): void {
    for (const port of hostPortsOf(pod)) if (this.#owners.get(port) === pod.metadata.uid) this.#owners.delete(port);
  }
}

/** The ports of this machine that a pod says it uses. On the host's network, its containers' ports are such. */
function hostPortsOf({ spec }: Pod): string[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...spec.containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = "TCP" }) => {
      const port = hostPort ?? (spec.hostNetwork === true ? containerPort : 0);
      return port > 0 ? [`${port}/${protocol}`] : [];
    }),
  );
}
