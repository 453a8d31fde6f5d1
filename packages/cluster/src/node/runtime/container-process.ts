import { existsSync, lstatSync, readFileSync, statSync, symlinkSync, watch, writeFileSync, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { HostCommand } from "../sandbox/sandbox.ts";
import type { ContainerHandle, RawExit } from "./container-handle.ts";
import type { Launcher } from "./launcher.ts";
import { isSameProcess, pidOf } from "./process-identity.ts";
import { FILES, supervisorOf, type SupervisorOptions } from "./supervisor.ts";

/** The code of a container that was killed, or of which nothing is known. */
export const KILLED = 137;

/** What a container process needs of its surroundings. */
export interface ContainerProcessOptions {
  readonly launcher: Launcher;
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
  static start(directory: string, command: HostCommand, options: ContainerProcessOptions & SupervisorOptions): ContainerProcess {
    const handle = new ContainerProcess(directory, options);
    options.launcher.launch(supervisorOf(directory, command, options), join(directory, FILES.log), {
      onError: (message) => handle.#couldNotStart(message),
      onExit: () => handle.#look({ isSupervisorGone: true }),
    });
    return handle;
  }

  /** Watches a process that an earlier run of this program has started. */
  static adopt(directory: string, options: ContainerProcessOptions): ContainerProcess {
    const handle = new ContainerProcess(directory, options);
    handle.#look();
    return handle;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  async terminate(): Promise<void> {
    await this.#signal("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  release(): void {
    this.#isOver = true;
    this.#watcher.close();
  }

  /** Notices a supervisor that was killed itself: it cannot say so, and an adopted one is nobody's child. */
  checkSupervisor(): void {
    const supervisor = read(join(this.#directory, FILES.supervisor));
    if (supervisor?.endsWith("\n") === true && !isSameProcess(supervisor, this.#directory)) this.#look({ isSupervisorGone: true });
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

  /** The attempt is claimed, so that what was not started never is, even if only the word of its start was lost. */
  #couldNotStart(message: string): void {
    if (this.#isOver || findProcess(this.#directory) !== "unclaimed") return this.#look();
    writeFileSync(join(this.#directory, FILES.log), `${message}\n`, { flag: "a" });
    this.#end({ exitCode: 128, finishedAt: this.#options.now(), how: "cannotRun" });
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

/**
 * What has become of the process of an attempt that nobody watches. An attempt that nobody has claimed is claimed, so
 * that it never runs: this is no question to ask of one that is just being started.
 */
export function findProcess(directory: string): Found {
  if (readExit(directory) !== undefined) return "ended";
  if (abandon(directory)) return "unclaimed";
  const supervisor = read(join(directory, FILES.supervisor));
  if (supervisor !== undefined && isSameProcess(supervisor, directory)) return "running";
  // It may have ended just now.
  return readExit(directory) === undefined ? "lost" : "ended";
}

/** Claims an attempt, so that nothing is ever started for it; false if its supervisor was faster. */
function abandon(directory: string): boolean {
  const path = join(directory, FILES.claim);
  try {
    symlinkSync("abandoned", path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return lstatSync(path).isSymbolicLink();
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

/** Kills the process group of an attempt that runs. */
export function killGroup(directory: string): void {
  const supervisor = read(join(directory, FILES.supervisor));
  if (supervisor === undefined || !isSameProcess(supervisor, directory)) return;
  try {
    process.kill(-pidOf(supervisor), "SIGKILL");
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
