import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, HTTPGetAction, LifecycleHandler, ProbeHandler } from "@sluice/kubernetes";
import type { CommandResult } from "../runtime/launcher.ts";
import { checkGrpcHealth } from "./grpc-health.ts";

/** How a probe or hook went; the message is for an event. */
export interface HandlerResult {
  readonly isSuccess: boolean;
  readonly message: string;
}

/** What a handler acts on. */
export interface HandlerTarget {
  readonly container: Container;
  readonly podIp: string;
  /** Runs a command inside the container. */
  exec(argv: readonly string[], options: { readonly signal: AbortSignal; readonly maxBytes: number }): Promise<CommandResult>;
}

const OUTPUT_BYTES = 10 * 1024;

/** Runs a probe's or hook's action; aborting `signal` ends it as a failure. */
export async function runHandler(handler: ProbeHandler & LifecycleHandler, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  try {
    if (handler.exec !== undefined) {
      const { exitCode, output } = await target.exec(handler.exec.command ?? [], { signal, maxBytes: OUTPUT_BYTES });
      return { isSuccess: exitCode === 0, message: signal.aborted ? "command timed out" : output.trimEnd() };
    }
    if (handler.httpGet !== undefined) return await get(handler.httpGet, target, signal);
    if (handler.tcpSocket !== undefined) {
      return await dial(handler.tcpSocket.host ?? target.podIp, portOf(handler.tcpSocket.port, target.container), signal);
    }
    if (handler.grpc !== undefined) {
      const status = await checkGrpcHealth({ host: target.podIp, port: handler.grpc.port, service: handler.grpc.service ?? "" }, signal);
      return { isSuccess: status === "SERVING", message: `service unhealthy (responded with ${JSON.stringify(status)})` };
    }
    if (handler.sleep !== undefined) return await sleepFor(handler.sleep.seconds * 1000, signal);
    return { isSuccess: false, message: `this node has no ${Object.keys(handler).join(", ")} handlers` };
  } catch (error) {
    return { isSuccess: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function get(action: HTTPGetAction, { container, podIp }: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const { path = "/", port, host = podIp, scheme = "HTTP", httpHeaders = [] } = action;
  const options = {
    host,
    port: portOf(port, container),
    path: path.startsWith("/") ? path : `/${path}`,
    headers: {
      "user-agent": "kube-probe/1.34",
      accept: "*/*",
      connection: "close",
      ...Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value])),
    },
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = scheme === "HTTPS" ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on("error", (error) =>
      reject(new Error(`Get ${JSON.stringify(`${scheme.toLowerCase()}://${host}:${options.port}${options.path}`)}: ${error.message}`)),
    );
    request.on("response", (response) => {
      response.destroy();
      const code = response.statusCode ?? 0;
      resolve({ isSuccess: code >= 200 && code < 400, message: `HTTP probe failed with statuscode: ${code}` });
    });
    request.end();
  });
}

function dial(host: string, port: number, signal: AbortSignal): Promise<HandlerResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.on("error", (error) => resolve({ isSuccess: false, message: `dial tcp ${host}:${port}: ${error.message}` }));
    socket.on("connect", () => {
      socket.destroy();
      resolve({ isSuccess: true, message: "" });
    });
  });
}

function sleepFor(ms: number, signal: AbortSignal): Promise<HandlerResult> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve({ isSuccess: true, message: "" });
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
  });
}

function portOf(port: number | string, container: Container): number {
  const named = (container.ports ?? []).find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!Number.isInteger(number)) throw new Error(`couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
  return number;
}
