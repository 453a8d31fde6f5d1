import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SandboxMount } from "../../sandbox/sandbox.ts";
import type { PythonEnvironment } from "./environments.ts";
import type { PipRequest } from "./pip-requests.ts";
import { WARM_SERVER, WARM_VARIABLE } from "./warm-files.ts";

/** Where a container finds the socket of a warm Python. */
const WARM_DIRECTORY = "/run/sluice-python";

/** What a container needs so that its Python may start warm. */
export interface WarmStart {
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly SandboxMount[];
}

/**
 * Pythons that have loaded kfp, one for each version of it, from which lightweight components are forked: that takes 10 ms, where
 * loading kfp takes half a second. One is started when the first container could use it, and that container does not wait for it.
 */
export class WarmPythons implements AsyncDisposable {
  readonly #servers = new Map<string, ChildProcess>();

  /** What a container gets, whose kfp is the one of `environment`. */
  start(environment: PythonEnvironment): WarmStart {
    const { directory } = environment;
    const socket = join(dirname(directory), "warm");
    mkdirSync(socket, { recursive: true });
    if (!this.#servers.has(directory)) this.#serve(directory, socket);
    return {
      env: { [WARM_VARIABLE]: WARM_DIRECTORY },
      // What is loaded lazily comes from where the rest was loaded.
      mounts: [
        { source: socket, target: WARM_DIRECTORY, readOnly: true },
        { source: directory, target: directory, readOnly: true },
      ],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const servers = [...this.#servers.values()];
    this.#servers.clear();
    await Promise.all(
      servers.map(async (server) => {
        const gone = once(server, "exit");
        server.kill("SIGKILL");
        await gone;
      }),
    );
  }

  #serve(directory: string, socket: string): void {
    // It ends when its standard input does, however this program ends.
    const server = spawn(join(directory, "bin/python3"), ["-I", "-c", WARM_SERVER, socket], {
      cwd: "/",
      env: { LANG: "C.UTF-8" },
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#servers.set(directory, server);
    const forget = (): void => {
      if (this.#servers.get(directory) === server) this.#servers.delete(directory);
    };
    server.on("exit", forget);
    // Without it components start cold.
    server.on("error", forget);
    server.unref();
    if (server.stdin !== null && "unref" in server.stdin && typeof server.stdin.unref === "function") server.stdin.unref();
  }
}

/**
 * The request among `requests` that brings kfp as the SDK asks for it, if that is all that decides which kfp it is: a server runs with
 * this program's rights, so it must load nothing that a container could choose.
 */
export function kfpRequest(requests: readonly PipRequest[]): PipRequest | undefined {
  if (requests.some((request) => request.some((word) => word.startsWith("-") && word !== "--no-deps"))) return undefined;
  const kfp = requests.find((request) => request.some((word) => /^kfp==\d+(?:\.\d+)*$/u.test(word)) && request.includes("--no-deps"));
  return kfp?.every((word) => /^(?:kfp==|--no-deps$|typing-extensions>=)/u.test(word)) === true ? kfp : undefined;
}
