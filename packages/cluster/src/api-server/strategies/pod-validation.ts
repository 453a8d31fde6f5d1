import { compareQuantities, isQuantity, jsonEqual, parseQuantity, type Cause, type PodSpec } from "@sluice/kubernetes";
import { forbid } from "./immutable.ts";

type Container = PodSpec["containers"][number];
type Probe = NonNullable<Container["livenessProbe"]>;

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc"] as const;
const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;

/** What is wrong with a pod's spec that its schema cannot see; `path` is where it is, in a pod or in a template. */
export function validatePodSpec(spec: PodSpec, path: string): Cause[] {
  const volumes = spec.volumes ?? [];
  const causes: Cause[] = [
    ...duplicates(`${path}.volumes`, "name", volumes),
    ...volumes.flatMap((volume, i) =>
      Object.keys(volume).length > 2 ? [forbid(`${path}.volumes[${i}]`, "may not specify more than 1 volume type")] : [],
    ),
  ];
  const names = new Set(volumes.map(({ name }) => name));
  const taken = new Set<string>();
  for (const [list, containers] of [
    ["initContainers", spec.initContainers ?? []],
    ["containers", spec.containers],
  ] as const) {
    for (const [i, container] of containers.entries()) {
      const at = `${path}.${list}[${i}]`;
      if (taken.has(container.name)) causes.push(duplicate(`${at}.name`, container.name));
      taken.add(container.name);
      causes.push(...validateContainer(container, at, names));
    }
  }
  return causes;
}

function validateContainer(container: Container, path: string, volumes: ReadonlySet<string>): Cause[] {
  const { image = "", volumeMounts = [], ports = [] } = container;
  const causes: Cause[] = [];
  if (image === "") causes.push({ reason: "FieldValueRequired", field: `${path}.image`, message: "Required value" });
  for (const [i, { name, mountPath }] of volumeMounts.entries()) {
    if (!volumes.has(name))
      causes.push({ reason: "FieldValueNotFound", field: `${path}.volumeMounts[${i}].name`, message: `Not found: ${JSON.stringify(name)}` });
    const isTaken = volumeMounts.findIndex((other) => other.mountPath === mountPath) < i;
    if (isTaken)
      causes.push({
        reason: "FieldValueInvalid",
        field: `${path}.volumeMounts[${i}].mountPath`,
        message: `Invalid value: ${JSON.stringify(mountPath)}: must be unique`,
      });
  }
  const named = ports.flatMap((port, i) => (port.name === undefined ? [] : [{ name: port.name, i }]));
  for (const { name, i } of named)
    if (named.some((other) => other.name === name && other.i < i)) causes.push(duplicate(`${path}.ports[${i}].name`, name));
  for (const kind of PROBES) {
    const probe: Probe | undefined = container[kind];
    if (probe === undefined) continue;
    const handlers = HANDLERS.filter((handler) => probe[handler] !== undefined);
    if (handlers.length === 0)
      causes.push({ reason: "FieldValueRequired", field: `${path}.${kind}`, message: "Required value: must specify a handler type" });
    for (const handler of handlers.slice(1)) causes.push(forbid(`${path}.${kind}.${handler}`, "may not specify more than 1 handler type"));
  }
  return [...causes, ...validateResources(container, `${path}.resources`)];
}

/** Requests stay within limits; what cannot be shared is requested as it is limited. */
function validateResources({ resources = {} }: Container, path: string): Cause[] {
  const causes: Cause[] = [];
  for (const [name, request] of Object.entries(resources.requests ?? {})) {
    const limit = resources.limits?.[name];
    if (limit === undefined || !isQuantity(String(request)) || !isQuantity(String(limit))) continue;
    const order = compareQuantities(parseQuantity(String(request)), parseQuantity(String(limit)));
    const isExclusive = name.includes("/") || name.startsWith("hugepages-");
    const why =
      isExclusive && order !== 0
        ? `must be equal to ${name} limit of ${limit}`
        : order > 0
          ? `must be less than or equal to ${name} limit of ${limit}`
          : undefined;
    if (why !== undefined)
      causes.push({ reason: "FieldValueInvalid", field: `${path}.requests`, message: `Invalid value: ${JSON.stringify(request)}: ${why}` });
  }
  return causes;
}

function duplicates<T>(path: string, field: keyof T & string, items: readonly T[]): Cause[] {
  return items.flatMap((item, i) =>
    items.findIndex((other) => other[field] === item[field]) < i ? [duplicate(`${path}[${i}].${field}`, item[field])] : [],
  );
}

function duplicate(field: string, value: unknown): Cause {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

/** Of a pod's spec only images, a shorter deadline, more tolerations, and, while gated, what guides the scheduler may change. */
export function validatePodChange(next: PodSpec, before: PodSpec): Cause[] {
  const isGated = (before.schedulingGates ?? []).length > 0;
  const fixed = ({
    activeDeadlineSeconds: _deadline,
    tolerations: _tolerations,
    schedulingGates: _gates,
    terminationGracePeriodSeconds: _grace,
    ...spec
  }: PodSpec): unknown => ({
    ...spec,
    containers: spec.containers.map(({ image: _image, ...container }) => container),
    initContainers: spec.initContainers?.map(({ image: _image, ...container }) => container),
    ...(isGated ? { nodeSelector: undefined, affinity: undefined } : {}),
  });
  const causes: Cause[] = [];
  if (!jsonEqual(fixed(next), fixed(before))) {
    causes.push(
      forbid(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
      ),
    );
  }
  const { activeDeadlineSeconds } = next;
  const [deadline, earlier] = [activeDeadlineSeconds ?? Infinity, before.activeDeadlineSeconds ?? Infinity];
  if (deadline > earlier) {
    const message = `Invalid value: ${JSON.stringify(activeDeadlineSeconds ?? null)}: must be less than or equal to previous value`;
    causes.push({ reason: "FieldValueInvalid", field: "spec.activeDeadlineSeconds", message });
  }
  const grace = next.terminationGracePeriodSeconds;
  if (grace !== before.terminationGracePeriodSeconds && !(grace === 1 && (before.terminationGracePeriodSeconds ?? 0) < 0)) {
    causes.push(forbid("spec.terminationGracePeriodSeconds", "pod updates may not change it"));
  }
  const lost = (before.tolerations ?? []).some(
    (one) => !(next.tolerations ?? []).some((other) => jsonEqual({ ...one, tolerationSeconds: 0 }, { ...other, tolerationSeconds: 0 })),
  );
  if (lost) causes.push(forbid("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"));
  const known = new Set((before.schedulingGates ?? []).map(({ name }) => name));
  if ((next.schedulingGates ?? []).some(({ name }) => !known.has(name))) causes.push(forbid("spec.schedulingGates", "only deletion is allowed"));
  return causes;
}
