import type { ApiResponse } from "@sluice/client";
import { ApiError, type Pod, type UnknownObject } from "@sluice/kubernetes";
import { methodNotAllowed, noSuchResource } from "./api-errors.ts";
import { find } from "./list.ts";
import { pathBelow } from "./proxy-target.ts";
import { keyOfRequest, type ResourceRequest } from "./request-context.ts";
import { isTrue } from "./request-info.ts";

/** Answers what is asked of a kubelet below `nodes/<name>/proxy`: whether it is well, its pods, and a container's log. */
export async function askNode(target: ResourceRequest): Promise<ApiResponse> {
  const { request, server } = target;
  const { name } = keyOfRequest(target);
  find(target);
  if (request.method !== "GET") throw methodNotAllowed();
  const [part, namespace, pod, container, ...more] = pathBelow(request.path).split("/").slice(1);
  const node = server.options.nodes(name);
  if (node === undefined) throw new ApiError("ServiceUnavailable", `node ${name} does not run`);
  if (part === "healthz" && namespace === undefined) return { kind: "bytes", contentType: "text/plain; charset=utf-8", bytes: text("ok") };
  if (part === "pods" && namespace === undefined) {
    const items = server.store.list("pods").items.filter((one) => (one as UnknownObject & Pod).spec.nodeName === name);
    return { kind: "object", status: 200, object: { apiVersion: "v1", kind: "PodList", metadata: { name: "" }, items } };
  }
  if (part !== "containerLogs" || namespace === undefined || pod === undefined || container === undefined || more.length > 0) throw noSuchResource();
  const { signal } = request;
  const options = { container, follow: isTrue(request.query["follow"]), ...(signal === undefined ? {} : { signal }) };
  return { kind: "bytes", contentType: "text/plain", bytes: await node.log({ namespace, name: pod }, options) };
}

async function* text(value: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(value);
}
