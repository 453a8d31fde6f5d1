import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { HostCommand } from "../sandbox/sandbox.ts";

/** A command that has ended. */
export interface CommandResult {
  readonly exitCode: number;
  /** Of both streams, as far as it was kept. */
  readonly output: string;
}

/** What becomes of a launched process. */
export interface LaunchListener {
  /** It could not be started, or nobody can tell any more whether it was. */
  onError(message: string): void;
  onExit(): void;
}

/** What the launcher's process is told. */
type Request =
  | { readonly id: number; readonly do: "launch"; readonly command: HostCommand; readonly log: string }
  | { readonly id: number; readonly do: "run"; readonly command: HostCommand; readonly maxBytes: number; readonly input: string }
  | { readonly id: number; readonly do: "kill" };

interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly exitCode?: number;
  readonly output?: string;
}

/**
 * Starts processes from a small process of its own. A fork copies the page tables of the whole program and stops it
 * meanwhile: of this one, with its objects in memory, for tens of milliseconds.
 */
export class Launcher implements AsyncDisposable {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #child: ChildProcess | undefined;
  #serial = 0;
  /** The commands that somebody waits for. */
  readonly #runs = new Set<number>();

  /** Starts a process that leads its own group and outlives this program; what it writes is appended to `log`. */
  launch(command: HostCommand, log: string, listener: LaunchListener): void {
    this.#ask({ do: "launch", command, log }, ({ error }) => {
      if (error === undefined) listener.onExit();
      else listener.onError(error);
    });
  }

  /** Runs a command, which reads `input`, to its end; aborting `signal` kills it and all that it has started. */
  run(
    command: HostCommand,
    options: { readonly signal: AbortSignal; readonly maxBytes: number; readonly input?: string | undefined },
  ): Promise<CommandResult> {
    const { signal, maxBytes, input = "" } = options;
    return new Promise((resolve, reject) => {
      const id = this.#ask({ do: "run", command, maxBytes, input }, ({ error, exitCode = -1, output = "" }) => {
        signal.removeEventListener("abort", kill);
        this.#runs.delete(id);
        if (this.#runs.size === 0) this.#child?.channel?.unref();
        if (error === undefined) resolve({ exitCode, output });
        else reject(new Error(error));
      });
      this.#runs.add(id);
      // As long as somebody waits, this program is not over.
      this.#child?.channel?.ref();
      const kill = (): void => this.#send({ id, do: "kill" });
      if (signal.aborted) kill();
      else signal.addEventListener("abort", kill, { once: true });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const gone = once(child, "exit");
    child.ref();
    child.disconnect();
    await gone;
    // What was launched runs on, and is looked for by the next process; a command was waited for by this one.
    for (const id of [...this.#runs]) this.#answer({ id, error: "the launcher is gone: the program stops" });
  }

  #ask(
    request:
      | { readonly do: "launch"; readonly command: HostCommand; readonly log: string }
      | { readonly do: "run"; readonly command: HostCommand; readonly maxBytes: number; readonly input: string },
    answered: (answer: Answer) => void,
  ): number {
    const id = ++this.#serial;
    this.#waiting.set(id, answered);
    this.#send({ ...request, id });
    return id;
  }

  #send(request: Request): void {
    this.#child ??= this.#start();
    this.#child.send(request, (error) => {
      if (error !== null) this.#answer({ id: request.id, error: `the launcher cannot be reached: ${error.message}` });
    });
  }

  #answer(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, ["--input-type=commonjs", "-e", `(${launcherProcess.toString()})()`], {
      env: {},
      cwd: "/",
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    child.on("message", (answer: Answer) => this.#answer(answer));
    child.on("error", (error) => this.#lose(child, error.message));
    child.on("exit", (code, signal) => this.#lose(child, `it ended with ${signal ?? String(code)}`));
    // It must not keep this program alive.
    child.unref();
    child.channel?.unref();
    return child;
  }

  /** The next request starts another; what this one has launched runs on. */
  #lose(child: ChildProcess, why: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const id of [...this.#waiting.keys()]) this.#answer({ id, error: `the launcher is gone: ${why}` });
  }
}

/** The whole program of the launcher's process: it is handed over as text, so that it must not refer to anything outside. */
function launcherProcess(): void {
  const { spawn: start } = process.getBuiltinModule("node:child_process");
  const { openSync, closeSync } = process.getBuiltinModule("node:fs");
  const { constants } = process.getBuiltinModule("node:os");
  const running = new Map<number, number>();
  const answer = (message: { readonly id: number; readonly [field: string]: unknown }): void => {
    running.delete(message.id);
    // Where the program is just going, nobody is told: its next run looks for itself.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  // Whoever is left when the program ends is adopted by its next run.
  process.on("disconnect", () => process.exit());
  process.on(
    "message",
    (request: {
      id: number;
      do: string;
      command: { argv: string[]; env: Record<string, string>; cwd: string };
      log: string;
      maxBytes: number;
      input?: string;
    }) => {
      const { id, command, log, maxBytes, input = "" } = request;
      if (request.do === "kill") {
        const pid = running.get(id);
        try {
          if (pid !== undefined) process.kill(-pid, "SIGKILL");
        } catch {
          // It has just ended.
        }
        return;
      }
      const isLaunch = request.do === "launch";
      let file: number | undefined;
      try {
        file = isLaunch ? openSync(log, "a") : undefined;
        const [program = "", ...args] = command.argv;
        const child = start(program, args, {
          cwd: command.cwd,
          env: command.env,
          detached: true,
          stdio: [input === "" ? "ignore" : "pipe", file ?? "pipe", file ?? "pipe"],
        });
        // A command that ends without reading all of it breaks the pipe; its exit code tells more than that.
        child.stdin?.on("error", () => {}).end(input);
        let output = "";
        const collect = (chunk: string): void => {
          if (output.length < maxBytes) output += chunk.slice(0, maxBytes - output.length);
        };
        child.stdout?.setEncoding("utf8").on("data", collect);
        child.stderr?.setEncoding("utf8").on("data", collect);
        if (child.pid !== undefined) running.set(id, child.pid);
        child.on("error", (error) => answer({ id, error: error.message }));
        const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
          answer({ id, exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), output });
        };
        if (isLaunch) child.on("exit", ended);
        else child.on("close", ended);
      } catch (error) {
        answer({ id, error: error instanceof Error ? error.message : String(error) });
      } finally {
        if (file !== undefined) closeSync(file);
      }
    },
  );
}
