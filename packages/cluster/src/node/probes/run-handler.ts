import { spawn } from "node:child_process";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, HTTPGetAction, LifecycleHandler, ProbeHandler } from "@sluice/kubernetes";
import type { HostCommand } from "../sandbox/sandbox.ts";

/** How a probe or hook went; the message is for an event. */
export interface HandlerResult {
  readonly isSuccess: boolean;
  readonly message: string;
}

/** What a handler acts on. */
export interface HandlerTarget {
  readonly container: Container;
  readonly podIp: string;
  /** How to run a command inside the container. */
  command(argv: readonly string[]): Promise<HostCommand>;
}

const OUTPUT_BYTES = 10 * 1024;

/** Runs a probe's or hook's action; aborting `signal` ends it as a failure. */
export async function runHandler(handler: ProbeHandler & LifecycleHandler, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  try {
    if (handler.exec !== undefined) return await runCommand(await target.command(handler.exec.command ?? []), signal);
    if (handler.httpGet !== undefined) return await get(handler.httpGet, target, signal);
    if (handler.tcpSocket !== undefined) {
      return await dial(handler.tcpSocket.host ?? target.podIp, portOf(handler.tcpSocket.port, target.container), signal);
    }
    if (handler.sleep !== undefined) return await sleepFor(handler.sleep.seconds * 1000, signal);
    return { isSuccess: false, message: `this node has no ${Object.keys(handler).join(", ")} handlers` };
  } catch (error) {
    return { isSuccess: false, message: error instanceof Error ? error.message : String(error) };
  }
}

function runCommand(command: HostCommand, signal: AbortSignal): Promise<HandlerResult> {
  return new Promise((resolve) => {
    const [program = "", ...args] = command.argv;
    const child = spawn(program, args, { cwd: command.cwd, env: command.env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk: string): void => {
      if (output.length < OUTPUT_BYTES) output += chunk.slice(0, OUTPUT_BYTES - output.length);
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    const stop = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
      finish({ isSuccess: false, message: "command timed out" });
    };
    const finish = (result: HandlerResult): void => {
      signal.removeEventListener("abort", stop);
      resolve(result);
    };
    child.on("error", (error) => finish({ isSuccess: false, message: error.message }));
    child.on("close", (code) => finish({ isSuccess: code === 0, message: output.trimEnd() }));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function get(action: HTTPGetAction, { container, podIp }: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const { path = "/", port, host = podIp, scheme = "HTTP", httpHeaders = [] } = action;
  const options = {
    host,
    port: portOf(port, container),
    path: path.startsWith("/") ? path : `/${path}`,
    headers: { "user-agent": "kube-probe/1.34", accept: "*/*", connection: "close", ...Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value])) },
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = scheme === "HTTPS" ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.on("error", (error) => reject(new Error(`Get ${JSON.stringify(`${scheme.toLowerCase()}://${host}:${options.port}${options.path}`)}: ${error.message}`)));
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
