import type { ApiRequest, ApiResponse, Connection } from "@sluice/client";
import type { Pod, UnknownObject } from "@sluice/kubernetes";
import { ApiError } from "@sluice/kubernetes";
import { admitConnect, type ConnectOptions as AdmittedOptions } from "./admit.ts";
import { badRequest, methodNotAllowed } from "./api-errors.ts";
import type { NodeAccess } from "./api-server.ts";
import { find } from "./list.ts";
import { askNode } from "./node-proxy.ts";
import { proxyTarget } from "./proxy-target.ts";
import { keyOfRequest, type ResourceRequest } from "./request-context.ts";
import { isTrue } from "./request-info.ts";

/** The subresources that connect a client with something, and the kinds that their parameters make. */
const OPTIONS = {
  "pods/exec": "PodExecOptions",
  "pods/attach": "PodAttachOptions",
  "pods/portforward": "PodPortForwardOptions",
  "pods/proxy": "PodProxyOptions",
  "services/proxy": "ServiceProxyOptions",
  "nodes/proxy": "NodeProxyOptions",
} as const;

type ConnectionPoint = keyof typeof OPTIONS;

/** Whether a table's subresource connects the client with something. */
export function isConnection(at: string): at is ConnectionPoint {
  return at in OPTIONS;
}

/** Finds what a client asks to be connected with. Throws `ApiError` where there is no such thing. */
export async function connect(target: ResourceRequest, at: ConnectionPoint): Promise<ApiResponse> {
  const options = await admitConnect(target, optionsOf(target.request, at));
  if (at === "nodes/proxy") return askNode(target);
  return { kind: "connect", connection: await connectionTo(target, at, options) };
}

async function connectionTo(target: ResourceRequest, at: Exclude<ConnectionPoint, "nodes/proxy">, options: ConnectOptions): Promise<Connection> {
  const { method } = target.request;
  if (at === "pods/proxy" || at === "services/proxy") return proxyTarget(target, at);
  if (method !== "GET" && method !== "POST") throw methodNotAllowed();
  const key = keyOfRequest(target);
  const pod = find(target) as UnknownObject & Pod;
  if (at === "pods/portforward") {
    const node = nodeOf(target, pod);
    return { kind: "ports", ports: options.ports ?? [], dial: (port) => node.dial(key, port) };
  }
  const container = containerOf(pod, options.container);
  const { stdin = false, stdout = false, tty = false, command = [] } = options;
  // What a terminal shows is one stream.
  const stderr = options.stderr === true && !tty;
  if (!stdin && !stdout && !stderr) throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
  if (at === "pods/exec" && command.length === 0) throw badRequest("you must specify at least one command for the container");
  const node = nodeOf(target, pod);
  const run = await (at === "pods/exec" ? node.exec(key, { container, command, tty }) : node.attach(key, { container, stdin }));
  return { kind: "command", stdin, stdout, stderr, tty, run };
}

type ConnectOptions = AdmittedOptions & {
  readonly container?: string;
  readonly command?: readonly string[];
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly tty?: boolean;
  readonly ports?: readonly number[];
  readonly path?: string;
};

/** The parameters of a connection as the object that they stand for. */
function optionsOf(request: ApiRequest, at: ConnectionPoint): ConnectOptions {
  const { query } = request;
  const kind = { apiVersion: "v1", kind: OPTIONS[at] };
  switch (at) {
    case "pods/exec":
    case "pods/attach":
      return {
        ...kind,
        ...(query["container"] === undefined || query["container"] === "" ? {} : { container: query["container"] }),
        ...(at === "pods/exec" ? { command: valuesOf(request, "command") } : {}),
        stdin: isTrue(query["stdin"]),
        stdout: isTrue(query["stdout"] ?? "true"),
        stderr: isTrue(query["stderr"] ?? "true"),
        tty: isTrue(query["tty"]),
      };
    case "pods/portforward":
      return { ...kind, ports: valuesOf(request, "ports").flatMap((list) => list.split(",").map(readPort)) };
    case "pods/proxy":
    case "services/proxy":
    case "nodes/proxy":
      return { ...kind, path: query["path"] ?? "" };
  }
}

function valuesOf({ query, repeated }: ApiRequest, name: string): readonly string[] {
  const { [name]: first } = query;
  return repeated?.[name] ?? (first === undefined ? [] : [first]);
}

function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw badRequest(`unable to parse ${JSON.stringify(text)} as a port`);
  return port;
}

/** The container that is asked for, or the only one. */
function containerOf({ spec, metadata }: Pod, wanted: string | undefined): string {
  const all = [...(spec.initContainers ?? []), ...spec.containers].map(({ name }) => name);
  const [only, ...others] = spec.containers;
  if (wanted !== undefined) {
    if (!all.includes(wanted)) throw badRequest(`container ${wanted} is not valid for pod ${metadata.name}`);
    return wanted;
  }
  if (only === undefined || others.length > 0)
    throw badRequest(`a container name must be specified for pod ${metadata.name}, choose one of: [${all.join(" ")}]`);
  return only.name;
}

function nodeOf({ server }: ResourceRequest, { spec, metadata }: Pod): NodeAccess {
  const { nodeName = "" } = spec;
  if (nodeName === "") throw badRequest(`pod ${metadata.name} does not have a host assigned`);
  const node = server.options.nodes(nodeName);
  if (node === undefined) throw new ApiError("ServiceUnavailable", `pod ${metadata.name} cannot be reached: its node ${nodeName} does not run`);
  return node;
}
