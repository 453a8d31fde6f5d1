import type { ApiResponse, LogOptions } from "@sluice/client";
import { ApiError, type Pod, type UnknownObject } from "@sluice/kubernetes";
import { badRequest } from "./api-errors.ts";
import { find } from "./list.ts";
import { keyOfRequest, type ResourceRequest } from "./request-context.ts";
import { isTrue } from "./request-info.ts";

/** A container's log, from the node that the pod is on. */
export async function log(target: ResourceRequest): Promise<ApiResponse> {
  const { request, server } = target;
  const key = keyOfRequest(target);
  const pod = find(target) as UnknownObject & Pod;
  const { query, signal } = request;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => name);
  const container =
    query["container"] ??
    (pod.spec.containers.length === 1 ? pod.spec.containers[0]?.name : pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"]);
  if (container === undefined || container === "") {
    throw badRequest(`a container name must be specified for pod ${key.name}, choose one of: [${containers.join(" ")}]`);
  }
  if (!containers.includes(container)) throw badRequest(`container ${container} is not valid for pod ${key.name}`);
  const waiting = `container ${JSON.stringify(container)} in pod ${JSON.stringify(key.name)} is waiting to start: ContainerCreating`;
  if ((pod.spec.nodeName ?? "") === "") {
    // As upstream: a pod that no node has yet has an empty log.
    return { kind: "bytes", contentType: "text/plain", bytes: nothing() };
  }
  const node = server.options.nodes(pod.spec.nodeName ?? "");
  if (node === undefined) throw badRequest(waiting);
  const options: LogOptions = {
    container,
    follow: isTrue(query["follow"]),
    timestamps: isTrue(query["timestamps"]),
    previous: isTrue(query["previous"]),
    ...count("tailLines", query["tailLines"]),
    ...count("sinceSeconds", query["sinceSeconds"] ?? secondsSince(query["sinceTime"], server.options.clock.now())),
    ...count("limitBytes", query["limitBytes"]),
    ...(signal === undefined ? {} : { signal }),
  };
  return { kind: "bytes", contentType: "text/plain", bytes: await node.log(key, options) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function secondsSince(time: string | undefined, now: number): string | undefined {
  if (time === undefined || time === "") return undefined;
  const at = Date.parse(time);
  if (Number.isNaN(at)) throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(time)}: must be an RFC 3339 time`);
  return String(Math.max(1, Math.ceil((now - at) / 1000)));
}

function count<K extends string>(name: K, text: string | undefined): Partial<Record<K, number>> {
  if (text === undefined || text === "") return {};
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new ApiError("Invalid", `PodLogOptions "" is invalid: ${name}: Invalid value: ${text}: must be greater than or equal to 0`);
  return { [name]: value } as Partial<Record<K, number>>;
}
