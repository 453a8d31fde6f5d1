import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Something of this machine that every container finds at the same path and cannot write. */
export type ViewEntry =
  | { readonly kind: "bind"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const TOP: readonly string[] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/sys"];

/** What programs look for in `/etc`. Keys, shadow files and this machine's own configuration are not among them. */
const ETC: readonly string[] = [
  ...["alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "fonts"],
  ...["gai.conf", "group", "host.conf", "inputrc", "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs"],
  ...["magic", "mailcap", "mime.types", "nsswitch.conf", "openmpi", "os-release", "passwd", "perl", "pip.conf", "pki", "profile"],
  ...["protocols", "R", "services", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone", "vim", "xdg"],
].map((name) => `/etc/${name}`);

/** What of this machine every container sees. */
export function readHostView(): readonly ViewEntry[] {
  return [...TOP, ...ETC].flatMap((path) => entryOf(path));
}

function entryOf(path: string): readonly ViewEntry[] {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  // A link below /etc is followed, for what it leads to may be out of sight.
  if (stats.isSymbolicLink() && !path.startsWith("/etc/")) return [{ kind: "link", path, target: readlinkSync(path) }];
  return [{ kind: "bind", path }];
}

/** Whether `path` is `directory` or lies in it. */
export function isWithin(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Where `path` leads when the view's links are followed. */
export function throughLinks(view: readonly ViewEntry[], path: string): string {
  for (const entry of view) {
    if (entry.kind === "link" && isWithin(entry.path, path)) {
      return join(entry.path, "..", entry.target, path.slice(entry.path.length));
    }
  }
  return path;
}

/**
 * Nothing can be mounted at a path that is missing in a directory that cannot be written. Such a directory is shown by
 * showing each of its children instead, as deep as needed.
 */
export function makeRoom(
  view: readonly ViewEntry[],
  targets: readonly string[],
  children: (directory: string) => readonly ViewEntry[] | undefined = childrenOf,
): readonly ViewEntry[] {
  let room = view;
  for (const target of targets) {
    for (;;) {
      const index = room.findIndex(({ kind, path }) => kind === "bind" && path !== target && isWithin(path, target));
      const inside = index < 0 ? undefined : children(room[index]?.path ?? "");
      if (inside === undefined) break;
      room = room.toSpliced(index, 1, ...inside);
    }
  }
  return room;
}

function childrenOf(directory: string): readonly ViewEntry[] | undefined {
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  return readdirSync(directory).flatMap((name) => entryOf(join(directory, name)));
}
