import { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Something that every container finds at `path` and cannot write. */
export type ViewEntry =
  /** What lies at `source` on this machine. */
  | { readonly kind: "bind"; readonly path: string; readonly source: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const TOP: readonly string[] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/sys"];

/** The directories that programs look for in `/etc`. Keys and this machine's own configuration are not among them. */
const ETC_DIRECTORIES: readonly string[] = [
  "alternatives",
  "crypto-policies",
  "fonts",
  "java",
  "openmpi",
  "pki/ca-trust",
  "pki/tls/certs",
  "R",
  "ssl/certs",
];
const ETC_FILES: readonly string[] = [
  ...["bash.bashrc", "ca-certificates.conf", "debian_version", "gai.conf", "group", "host.conf", "inputrc", "ld.so.cache", "ld.so.conf"],
  ...["localtime", "login.defs", "magic", "mailcap", "mime.types", "nsswitch.conf", "os-release", "passwd", "pip.conf", "profile"],
  ...["protocols", "services", "shells", "ssl/openssl.cnf", "timezone"],
];
/** Files that each pod has of its own, mounted over these. */
const OWN_FILES: readonly string[] = ["hosts", "resolv.conf", "hostname"];

/**
 * What of this machine every container sees. The files of `/etc` are copied to `directory`: mounting each of them by itself
 * would double the time that a container takes to start.
 */
export function readHostView(directory: string): readonly ViewEntry[] {
  const etc = join(directory, "etc");
  const exists = (name: string): boolean => existsSync(join("/etc", name));
  const directories = ETC_DIRECTORIES.filter(exists);
  for (const name of directories) mkdirSync(join(etc, name), { recursive: true });
  for (const name of ETC_FILES.filter(exists)) {
    mkdirSync(dirname(join(etc, name)), { recursive: true });
    copyFileSync(join("/etc", name), join(etc, name));
  }
  for (const name of OWN_FILES) writeFileSync(join(etc, name), "");
  return [
    ...TOP.flatMap((path) => entryOf(path, path)),
    { kind: "bind", path: "/etc", source: etc },
    ...directories.map((name) => ({ kind: "bind", path: join("/etc", name), source: join("/etc", name) }) as const),
  ];
}

function entryOf(path: string, source: string): readonly ViewEntry[] {
  const stats = lstatSync(source, { throwIfNoEntry: false });
  if (stats === undefined) return [];
  return [stats.isSymbolicLink() ? { kind: "link", path, target: readlinkSync(source) } : { kind: "bind", path, source }];
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
  children: (entry: ViewEntry & { readonly kind: "bind" }) => readonly ViewEntry[] | undefined = childrenOf,
): readonly ViewEntry[] {
  let room = view;
  for (const target of targets) {
    for (;;) {
      const index = room.findIndex(({ kind, path }) => kind === "bind" && path !== target && isWithin(path, target));
      const entry = room[index];
      const inside = entry?.kind === "bind" ? children(entry) : undefined;
      if (inside === undefined) break;
      room = room.toSpliced(index, 1, ...inside);
    }
  }
  return room;
}

/** Where on this machine lies what the view shows at `path`. */
export function shownAt(view: readonly ViewEntry[], path: string): string {
  const entry = view.find((candidate) => candidate.kind === "bind" && isWithin(candidate.path, path));
  return entry?.kind === "bind" ? entry.source + path.slice(entry.path.length) : path;
}

function childrenOf({ path, source }: { readonly path: string; readonly source: string }): readonly ViewEntry[] | undefined {
  if (lstatSync(source, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  return readdirSync(source).flatMap((name) => entryOf(join(path, name), join(source, name)));
}
