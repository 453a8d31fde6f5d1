import type { Program } from "@sluice/component";
import type { Logger } from "@sluice/controller";
import type { ContainerHandle, RawExit } from "./container-handle.ts";
import { KILLED } from "./container-process.ts";

/** What a program runs with. */
export interface ContainerProgramOptions {
  readonly program: Program;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly hostPath: (path: string) => string;
  readonly log: (line: string) => void;
  readonly logger: Logger;
  readonly now: () => number;
}

/** A container whose image runs in this process. */
export class ContainerProgram implements ContainerHandle {
  readonly started: Promise<number>;
  readonly ended: Promise<RawExit>;
  readonly pid: undefined;
  readonly #terminate = new AbortController();
  readonly #killed = Promise.withResolvers<RawExit>();
  readonly #now: () => number;
  #isOver = false;

  constructor(options: ContainerProgramOptions) {
    this.#now = options.now;
    this.started = Promise.resolve(options.now());
    this.ended = Promise.race([this.#run(options), this.#killed.promise]);
    void this.ended.then(() => (this.#isOver = true));
  }

  async terminate(): Promise<void> {
    this.#terminate.abort();
  }

  /** Nobody can kill a part of a process: what it still does is only not waited for. */
  async kill(): Promise<void> {
    this.#terminate.abort();
    this.#killed.resolve({ exitCode: KILLED, finishedAt: this.#now(), how: "exited" });
  }

  release(): void {
    this.#isOver = true;
  }

  async #run({ program, args, env, pod, hostPath, log, logger, now }: ContainerProgramOptions): Promise<RawExit> {
    const write = (line: string): void => {
      if (!this.#isOver) log(line);
    };
    let exitCode: number;
    try {
      exitCode = await program.run({ args, env, pod, hostPath, log: write, logger, signal: this.#terminate.signal });
    } catch (error) {
      write(error instanceof Error ? error.message : String(error));
      exitCode = 1;
    }
    return { exitCode, finishedAt: now(), how: "exited" };
  }
}
