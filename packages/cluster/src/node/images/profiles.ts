import type { ImageName } from "./image-name.ts";

/** What of this machine stands in for an image. */
export interface Profile {
  readonly kind: "python" | "node" | "shell";
  /** The version that the image's name asks for, e.g. `3.11`. */
  readonly version?: string | undefined;
  /** What the image runs when the container says nothing. */
  readonly defaultCommand: readonly string[];
}

/** The images that have a profile, as users write them. */
const PROFILE_IMAGES: readonly string[] = ["python:*", "node:*", "alpine", "busybox", "debian", "ubuntu", "bash"];

/** How a user lets a profile stand in for a repository's images. */
export function profileHint(repository: string): string {
  return (
    `There are profiles for ${PROFILE_IMAGES.join(", ")}; to use one, name it in sluice.yaml in the data directory, ` +
    `e.g. imageProfiles: {"${repository}": "python:3.11"}.`
  );
}

/** Chooses the profile of an image by the last part of its repository; undefined where there is none. */
export function chooseProfile({ repository, tag }: ImageName): Profile | undefined {
  const name = repository.split("/").at(-1) ?? "";
  const version = /^\d+(?:\.\d+)*/u.exec(tag ?? "")?.[0];
  // Red Hat's images have the version in their name: python-311, nodejs-22.
  const [, family, digits] = /^(python|nodejs)-(\d+)$/u.exec(name) ?? [];
  if (family === "python") return { kind: "python", version: `${digits?.slice(0, 1)}.${digits?.slice(1)}`, defaultCommand: ["python3"] };
  if (family === "nodejs") return { kind: "node", version: digits, defaultCommand: ["node"] };
  switch (name) {
    case "python":
      return { kind: "python", version, defaultCommand: ["python3"] };
    case "node":
      return { kind: "node", version, defaultCommand: ["node"] };
    case "alpine":
    case "busybox":
      return { kind: "shell", defaultCommand: ["sh"] };
    case "bash":
    case "debian":
    case "ubuntu":
      return { kind: "shell", defaultCommand: ["bash"] };
    default:
      return undefined;
  }
}

/** The command line of a container: its own words, else the image's, which for Node's image run scripts and options too. */
export function commandLine(profile: Profile, command: readonly string[] = [], args: readonly string[] = []): readonly string[] {
  if (command.length > 0) return [...command, ...args];
  if (args.length === 0) return profile.defaultCommand;
  const [first = ""] = args;
  const entry = profile.kind === "node" && (first.startsWith("-") || /\.[cm]?[jt]s$/u.test(first)) ? ["node"] : [];
  return [...entry, ...args];
}
