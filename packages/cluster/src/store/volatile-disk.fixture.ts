const SECTOR_BYTES = 512;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly size: number };

/** A file: what a power cut cannot take, and what has been done to it since. */
interface Inode {
  durable: Buffer;
  pending: Change[];
}

/** Which of the things that were not synced have reached the disk nevertheless; asked for each name and each sector of a write. */
export type Survives = () => boolean;

/**
 * The files of one directory, as a power cut may find them: a file has what was written before it was last synced, and
 * of what came later any sectors; a name is only there, or gone, for sure once the directory itself was synced.
 */
export class VolatileDisk {
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #renamed: { readonly name: string; readonly inode: Inode | undefined }[] = [];

  create(name: string): void {
    if (!this.#names.has(name)) this.#link(name, { durable: Buffer.alloc(0), pending: [] });
  }

  remove(name: string): void {
    this.#link(name, undefined);
  }

  change(name: string, change: Change): void {
    this.#file(name).pending.push(change);
  }

  sync(name: string): void {
    const inode = this.#file(name);
    inode.durable = applied(inode, () => true);
    inode.pending = [];
  }

  syncNames(): void {
    this.#durableNames = new Map(this.#names);
    this.#renamed = [];
  }

  /** What is found after a power cut now. */
  cut(survives: Survives): Map<string, Buffer> {
    const names = new Map(this.#durableNames);
    for (const { name, inode } of this.#renamed) {
      if (!survives()) continue;
      if (inode === undefined) names.delete(name);
      else names.set(name, inode);
    }
    return new Map([...names].map(([name, inode]) => [name, applied(inode, survives)]));
  }

  #link(name: string, inode: Inode | undefined): void {
    if (inode === undefined) this.#names.delete(name);
    else this.#names.set(name, inode);
    this.#renamed.push({ name, inode });
  }

  #file(name: string): Inode {
    const inode = this.#names.get(name);
    if (inode === undefined) throw new Error(`there is no file ${name}`);
    return inode;
  }
}

function applied({ durable, pending }: Inode, survives: Survives): Buffer {
  const ends = pending.map((change) => ("size" in change ? change.size : change.at + change.bytes.length));
  const bytes = Buffer.alloc(Math.max(durable.length, ...ends));
  durable.copy(bytes);
  let size = durable.length;
  for (const change of pending) {
    if ("size" in change) {
      if (!survives()) continue;
      bytes.fill(0, change.size);
      size = change.size;
      continue;
    }
    for (let from = 0; from < change.bytes.length;) {
      const to = Math.min(change.bytes.length, from + SECTOR_BYTES - ((change.at + from) % SECTOR_BYTES));
      if (survives()) {
        change.bytes.copy(bytes, change.at + from, from, to);
        size = Math.max(size, change.at + to);
      }
      from = to;
    }
  }
  return bytes.subarray(0, size);
}
