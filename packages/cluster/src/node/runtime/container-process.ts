import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, statSync, watch, writeFileSync, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { HostCommand } from "../sandbox/sandbox.ts";
import type { ContainerHandle, RawExit } from "./container-handle.ts";
import { isSameProcess, pidOf } from "./process-identity.ts";
import { FILES, superviseCommand } from "./supervisor.ts";

/** The code of a container that was killed, or of which nothing is known. */
export const KILLED = 137;

/** What a container process needs of its surroundings. */
export interface ContainerProcessOptions {
  /** Signals the command, given its PID. */
  readonly signal: (pid: number, signal: "SIGTERM" | "SIGKILL") => Promise<void>;
  /** The log has grown, or may have. */
  readonly onLog: () => void;
  readonly now: () => number;
}

/** What an attempt's directory says about its process. */
export type Found =
  /** The supervisor runs. */
  | "running"
  | "ended"
  /** It has not run, and never will. */
  | "unclaimed"
  /** It is gone without a word. */
  | "lost";

/** A container's process under its supervisor. All that is known of it comes from the files that the supervisor writes. */
export class ContainerProcess implements ContainerHandle {
  readonly #directory: string;
  readonly #options: ContainerProcessOptions;
  readonly #watcher: FSWatcher;
  readonly #started = Promise.withResolvers<number | undefined>();
  readonly #ended = Promise.withResolvers<RawExit>();
  readonly started: Promise<number | undefined> = this.#started.promise;
  readonly ended: Promise<RawExit> = this.#ended.promise;
  #pid: number | undefined;
  #isOver = false;

  private constructor(directory: string, options: ContainerProcessOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#watcher = watch(directory, { persistent: false }, (_, name) => {
      if (name === FILES.log) options.onLog();
      else if (name === FILES.pid || name === FILES.exit) this.#look();
    });
    this.#watcher.on("error", () => this.#look()); // The directory is gone, and so is what we wait for.
  }

  /** Starts `command`; its attempt must be in the journal. */
  static start(directory: string, command: HostCommand, options: ContainerProcessOptions): ContainerProcess {
    const handle = new ContainerProcess(directory, options);
    let child: ChildProcess;
    try {
      child = superviseCommand(directory, command);
    } catch (error) {
      handle.release();
      throw error;
    }
    child.on("error", (error) => {
      writeFileSync(join(directory, FILES.log), `${error.message}\n`, { flag: "a" });
      handle.#end({ exitCode: 128, finishedAt: options.now(), how: "cannotRun" });
    });
    child.on("exit", () => handle.#look({ isSupervisorGone: true }));
    return handle;
  }

  /** Watches a process that an earlier run of this program has started. */
  static adopt(directory: string, options: ContainerProcessOptions): ContainerProcess {
    const handle = new ContainerProcess(directory, options);
    handle.#look();
    return handle;
  }

  async terminate(): Promise<void> {
    await this.#signal("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  release(): void {
    this.#watcher.close();
  }

  /** Notices a supervisor that was killed itself: it cannot say so, and is not our child any more. */
  checkSupervisor(): void {
    if (!this.#isOver && findProcess(this.#directory) === "lost") this.#look({ isSupervisorGone: true });
  }

  async #signal(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.started;
    if (this.#pid !== undefined && !this.#isOver) await this.#options.signal(this.#pid, signal);
  }

  #look(options: { readonly isSupervisorGone?: boolean } = {}): void {
    if (this.#isOver) return;
    if (this.#pid === undefined) {
      const pid = read(join(this.#directory, FILES.pid));
      if (pid?.endsWith("\n")) {
        this.#pid = Number(pid);
        this.#started.resolve(mtime(join(this.#directory, FILES.pid)));
      }
    }
    const exit = readExit(this.#directory);
    if (exit !== undefined) this.#end(exit);
    else if (options.isSupervisorGone === true) this.#end(lostExit(this.#options.now()));
  }

  #end(exit: RawExit): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watcher.close();
    this.#options.onLog();
    this.#started.resolve(undefined);
    this.#ended.resolve(exit);
  }
}

/** What has become of the process of an attempt, while nobody watched. An attempt that nobody has claimed is claimed, so that it never runs. */
export function findProcess(directory: string): Found {
  const path = join(directory, FILES.claim);
  for (;;) {
    if (readExit(directory) !== undefined) return "ended";
    const claim = read(path) ?? abandon(path);
    if (claim === ABANDONED) return "unclaimed";
    if (claim?.endsWith("\n") === true) {
      if (isSameProcess(claim, directory)) return "running";
      return readExit(directory) === undefined ? "lost" : "ended";
    }
    // Between making the claim and filling it, a supervisor needs a moment.
    if (claim !== undefined && Date.now() - mtime(path) > CLAIM_MS) return "lost";
  }
}

const ABANDONED = "abandoned\n";
const CLAIM_MS = 200;

/** Claims an attempt, so that nothing is ever started for it; undefined if its supervisor was faster. */
function abandon(path: string): string | undefined {
  try {
    writeFileSync(path, ABANDONED, { flag: "wx" });
    return ABANDONED;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
    throw error;
  }
}

/** The exit that the supervisor has written, once it is complete. */
export function readExit(directory: string): RawExit | undefined {
  const path = join(directory, FILES.exit);
  const text = read(path);
  if (text === undefined || !text.endsWith("\n")) return undefined;
  const exitCode = Number(text);
  const how = (exitCode === 126 || exitCode === 127) && existsSync(join(directory, FILES.unstarted)) ? "cannotRun" : "exited";
  return { exitCode, finishedAt: mtime(path), how };
}

/** The end of a process of which nothing is known. */
export function lostExit(now: number): RawExit {
  return { exitCode: KILLED, finishedAt: now, how: "lost" };
}

/** Kills what is left of an attempt's process group. */
export function killGroup(directory: string): void {
  const claim = read(join(directory, FILES.claim));
  if (claim === undefined || !claim.endsWith("\n") || claim === ABANDONED || !isSameProcess(claim, directory)) return;
  try {
    process.kill(-pidOf(claim), "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** When an attempt's process began to run, if it did. */
export function readStart(directory: string): number | undefined {
  const path = join(directory, FILES.pid);
  return existsSync(path) ? mtime(path) : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function mtime(path: string): number {
  return Math.round(statSync(path).mtimeMs);
}
