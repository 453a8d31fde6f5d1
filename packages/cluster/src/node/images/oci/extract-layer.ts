import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import { pathInRoot, statsAt } from "../../sandbox/oci/path-in-root.ts";
import { ImageError } from "../images.ts";
import { broken } from "./descriptor.ts";

/** How layers are laid down. */
export interface ExtractOptions {
  /** The image, for messages. */
  readonly what: string;
  /** Whether files get the owners that the layer names: only root may give files away. */
  readonly keepOwners: boolean;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";

/** Directories get their modes and times last: what is laid into them would not find them writable, and changes their times. */
export type DirectoryAttributes = Map<string, Header>;

/**
 * Lays a layer's files over what earlier layers have left in `root`, and takes away what it says is gone. Nothing outside of
 * `root` is touched, whatever paths and links the layer holds; nobody else may write to `root` meanwhile. Devices, pipes and
 * extended attributes are left out. Throws `ImageError`.
 */
export async function extractLayer(root: string, tar: Readable, directories: DirectoryAttributes, options: ExtractOptions): Promise<void> {
  const unpack = extract();
  const written = new Set<string>();
  tar.on("error", (error) => unpack.destroy(error));
  tar.pipe(unpack);
  try {
    for await (const entry of unpack) {
      await extractEntry(root, entry, { written, directories, options });
      entry.resume();
    }
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw broken(options.what, `it cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  } finally {
    tar.destroy();
  }
}

/** Gives the directories of an image what their layers say of them. */
export function finishDirectories(root: string, directories: DirectoryAttributes, options: ExtractOptions): void {
  for (const [path, header] of [...directories].sort(([a], [b]) => b.length - a.length)) {
    // A later layer may have put a link in its place, or above it, that leads anywhere.
    const isWhereItWas = pathInRoot(root, path.slice(root.length)) === path;
    if (isWhereItWas && statsAt(path)?.isDirectory() === true) setAttributes(path, header, options);
  }
}

interface Entry extends AsyncIterable<unknown> {
  readonly header: Header;
}

interface Layer {
  /** What this layer has laid down, and the directories above that: its whiteouts concern only the layers below. */
  readonly written: Set<string>;
  readonly directories: DirectoryAttributes;
  readonly options: ExtractOptions;
}

async function extractEntry(root: string, entry: Entry, { written, directories, options }: Layer): Promise<void> {
  const { header } = entry;
  const place = placeOf(root, header.name, options);
  if (place === undefined) {
    directories.set(root, header);
    return;
  }
  const { parent, name } = place;
  const path = join(parent, name);
  if (name === OPAQUE) {
    for (const child of readdirSync(parent)) removeBelow(join(parent, child), written);
    return;
  }
  if (name.startsWith(WHITEOUT)) {
    const gone = name.slice(WHITEOUT.length);
    // What begins so twice is the business of file systems that layers are no longer made for.
    if (gone !== "" && gone !== "." && gone !== ".." && !gone.startsWith(WHITEOUT)) removeBelow(join(parent, gone), written);
    return;
  }
  makeDirectories(root, parent);
  const there = statsAt(path);
  if (there !== undefined && !(there.isDirectory() && header.type === "directory")) remove(path, there);
  switch (header.type) {
    case "directory":
      mkdirSync(path, { recursive: true, mode: 0o700 });
      directories.set(path, header);
      break;
    case "file":
    case "contiguous-file": {
      const file = openSync(path, "wx", 0o600);
      try {
        for await (const chunk of entry) writeFileSync(file, chunk as Uint8Array);
      } finally {
        closeSync(file);
      }
      setAttributes(path, header, options);
      break;
    }
    case "symlink":
      symlinkSync(header.linkname, path);
      if (options.keepOwners) lchownSync(path, header.uid, header.gid);
      break;
    case "link": {
      const target = placeOf(root, header.linkname, options);
      const source = target === undefined ? undefined : join(target.parent, target.name);
      if (source === undefined || statsAt(source)?.isDirectory() !== false)
        throw broken(options.what, `${header.name} is to be a link to ${header.linkname}, which is no file`);
      linkSync(source, path);
      break;
    }
    case "block-device":
    case "character-device":
    case "fifo":
    default:
      return; // Devices and pipes: containers get the devices that they may have from their runtime.
  }
  note(root, path, written);
}

function note(root: string, path: string, written: Set<string>): void {
  for (let at = path; at.length > root.length && !written.has(at); at = dirname(at)) written.add(at);
}

/** The real directory in `root` that an entry lies in, and its name there; undefined for the root itself. */
function placeOf(root: string, path: string, { what }: ExtractOptions): { readonly parent: string; readonly name: string } | undefined {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || path.includes("\0")) throw broken(what, `its path ${JSON.stringify(path)} leads out of the image`);
  const name = parts.pop();
  if (name === undefined) return undefined;
  const parent = pathInRoot(root, parts.join("/"));
  if (parent === undefined) throw broken(what, `the links on the way to ${JSON.stringify(path)} lead in circles`);
  return { parent, name };
}

/** Makes what is missing of a directory. A file in its place gives way, as it would to a directory of the layer. */
function makeDirectories(root: string, path: string): void {
  if (path === root) return;
  const there = statsAt(path);
  if (there?.isDirectory() === true) return;
  makeDirectories(root, dirname(path));
  if (there !== undefined) remove(path, there);
  mkdirSync(path, { mode: 0o755 });
}

/** Removes what earlier layers have left at `path`, but not what this one has laid down in it. */
function removeBelow(path: string, written: ReadonlySet<string>): void {
  const there = statsAt(path);
  if (there === undefined) return;
  if (!written.has(path)) remove(path, there);
  else if (there.isDirectory()) for (const child of readdirSync(path)) removeBelow(join(path, child), written);
}

function remove(path: string, there: Stats): void {
  rmSync(path, { recursive: there.isDirectory(), force: true });
}

function setAttributes(path: string, { mode, uid, gid, mtime, type }: Header, { keepOwners }: ExtractOptions): void {
  // Changing the owner takes the setuid bit away, so it comes first.
  if (keepOwners) lchownSync(path, uid, gid);
  // Who is not root could not look into such directories again, nor delete them.
  chmodSync(path, (mode & 0o7777) | (keepOwners ? 0 : type === "directory" ? 0o700 : 0o400));
  if (!Number.isNaN(mtime.getTime())) lutimesSync(path, mtime, mtime);
}
