import { parseQuantity, type Container, type ObjectFieldSelector, type Pod, type ResourceFieldSelector } from "@sluice/kubernetes";
import { ConfigError } from "./config-error.ts";

/** What a pod's containers may learn of it and of its node. */
export interface DownwardSource {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly hostIp: string;
  readonly podIp: string;
  /** What counts as the limit of a container that has none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value of a `fieldRef`. */
export function fieldValue({ fieldPath }: ObjectFieldSelector, { pod, nodeName, hostIp, podIp }: DownwardSource): string {
  const { metadata, spec } = pod;
  const [, kind, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath) ?? [];
  if (kind !== undefined && key !== undefined) return (kind === "labels" ? metadata.labels : metadata.annotations)?.[key] ?? "";
  switch (fieldPath) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return nodeName;
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "";
    case "spec.restartPolicy":
      return spec.restartPolicy ?? "";
    case "status.hostIP":
    case "status.hostIPs":
      return hostIp;
    case "status.podIP":
    case "status.podIPs":
      return podIp;
    default:
      throw new ConfigError(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** The value of a `resourceFieldRef`: the amount in units of the divisor, rounded up. */
export function resourceValue(selector: ResourceFieldSelector, container: Container | undefined, { allocatable }: DownwardSource): string {
  const { resource, divisor } = selector;
  const [list, name] = [resource.slice(0, resource.indexOf(".")), resource.slice(resource.indexOf(".") + 1)];
  if (container === undefined) throw new ConfigError(`container ${selector.containerName ?? ""} not found`);
  if (list !== "limits" && list !== "requests") throw new ConfigError(`unsupported container resource : ${resource}`);
  const given = container.resources?.[list]?.[name];
  const amount = parseQuantity(given ?? (list === "limits" ? (allocatable[name] ?? "0") : "0")).nanos;
  const unit = divisor === undefined || divisor === "" ? 0n : parseQuantity(divisor).nanos;
  const by = unit === 0n ? 1_000_000_000n : unit;
  return String((amount + by - 1n) / by);
}

/** As upstream: sorted lines of `key="value"`, quoted as Go quotes. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join("\n");
}
