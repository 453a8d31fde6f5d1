import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Logger } from "@sluice/controller";
import { isWithin } from "./host-view.ts";
import type { ProgramResult } from "./run-program.ts";

/** What a mount namespace with few mounts needs. */
export interface FewMountsOptions {
  /** Where the namespaces' names lie: a directory of this node's own, beside those of other nodes, which is there only as long as it is needed. */
  readonly directory: string;
  /** The directory whose mounts it is to be without. */
  readonly without: string;
  /** Runs a program of this machine to its end; never throws. */
  readonly run: (argv: readonly string[]) => Promise<ProgramResult>;
  readonly logger: Logger;
}

/**
 * The names lie in a mount that is nobody else's, as the kernel demands. What is mounted or unmounted on this machine later is so in the
 * namespace, too, where this machine shares its mounts.
 */
const MAKE = `
mkdir -p "$1" || exit
mountpoint -q "$1" || { mount --bind "$1" "$1" && mount --make-private "$1"; } || exit
: > "$1/$2" && exec unshare --mount="$1/$2" --propagation slave umount -l "$3"
`;
const FORGET = 'umount -l "$1"; rm -r "$1"';
/** A name rests while what was just told it may not have used it. */
const KEPT = 2;

/**
 * A mount namespace with all of this machine's mounts but the names of pods' networks. Bubblewrap reads the list of all mounts
 * at each of its own, so that dozens of pods would double the time that it takes. The namespace is named by a file: what is to
 * start in it does so though this program is killed meanwhile.
 */
export class FewMounts {
  readonly #options: FewMountsOptions;
  /** This machine's other mounts when the latest namespace was made. */
  #mounts: string | undefined;
  #name: string | undefined;
  #making: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: FewMountsOptions) {
    this.#options = options;
  }

  /** The namespace's name for a process that is shown `sources`; undefined where it would miss some, or as long as it is being made. */
  nameFor(sources: readonly string[]): string | undefined {
    const { directory, without } = this.#options;
    if (this.#isClosed || sources.some((source) => isWithin(without, source) || isWithin(source, without))) return undefined;
    const mounts = otherMounts([dirname(directory), without]);
    if (mounts === this.#mounts) return this.#name;
    this.#making ??= this.#make(mounts).finally(() => (this.#making = undefined));
    return undefined;
  }

  /** Makes no more of them. Their names go where nothing is left that was to start in them. */
  async close({ isUnused }: { readonly isUnused: boolean }): Promise<void> {
    this.#isClosed = true;
    await this.#making;
    const { directory } = this.#options;
    if (isUnused && existsSync(directory)) await this.#forget(directory);
  }

  async #make(mounts: string): Promise<void> {
    const { directory, without, run, logger } = this.#options;
    const serial = Math.max(0, ...serialsIn(directory)) + 1;
    const { code, stderr } = await run(["sh", "-c", MAKE, "sh", directory, String(serial), without]);
    if (code !== 0) logger.info("pods start more slowly: they are started among all mounts of this machine", { error: stderr });
    this.#name = code === 0 ? join(directory, String(serial)) : undefined;
    this.#mounts = mounts;
    for (const old of serialsIn(directory).slice(0, -KEPT)) await this.#forget(join(directory, String(old)));
  }

  async #forget(path: string): Promise<void> {
    await this.#options.run(["sh", "-c", FORGET, "sh", path]);
  }
}

/** The namespaces that have names, the oldest first. */
function serialsIn(directory: string): readonly number[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map(Number)
    .sort((a, b) => a - b);
}

/** This machine's mounts but those below `directories`. */
function otherMounts(directories: readonly string[]): string {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => {
      const target = line.split(" ", 5).at(-1) ?? "";
      return !directories.some((directory) => isWithin(directory, target));
    })
    .join("\n");
}
