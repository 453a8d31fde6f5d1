import { existsSync, mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HostCommand, SandboxMount, SandboxProcess } from "../sandbox/sandbox.ts";
import { parseImageName, type ImageName } from "./image-name.ts";
import { ImageError, type ImageRequest, type Images, type ResolvedImage } from "./images.ts";
import type { OciImages } from "./oci/oci-images.ts";
import { pipRequests } from "./python/pip-requests.ts";
import { chooseProfile, commandLine, type Profile, profileHint } from "./profiles.ts";
import { interpreterMounts, PythonEnvironments } from "./python/environments.ts";
import { OVERLAY_VARIABLE } from "./python/environment-files.ts";
import { kfpRequest, WarmPythons } from "./python/warm-pythons.ts";
import { choosePython, type Environment, findPythons, type PythonInterpreter } from "./python/interpreters.ts";

/** What image profiles need. */
export interface ImagesOptions {
  /** Where environments are kept. */
  readonly directory: string;
  /** This program's environment variables: where to look for interpreters, and pip's configuration. */
  readonly environment: Environment;
  /**
   * Profiles for further images: an image without tag to one that has a profile, for Python with what to install into it, e.g.
   * `{"pytorch/pytorch": "python:3.11 torch numpy"}`.
   */
  readonly profiles?: Readonly<Record<string, string>> | undefined;
  /** The images that have been loaded, and those that registries have; without, profiles are all. */
  readonly oci?: OciImages | undefined;
  /** Makes a command run apart from the rest of this machine, as `Sandboxes.isolate` does. */
  isolate(process: SandboxProcess): HostCommand;
}

/** Images, and the processes that make some of them start fast: disposing of them leaves containers running. */
export interface OpenImages extends Images, AsyncDisposable {}

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** In the container's own `/tmp`, and gone with it. */
const OVERLAY = "/tmp/.python";
/** Where containers find the shell: where it lies on this machine, directories would have to be made above it, in `/tmp` maybe. */
const SHELL = "/run/sluice/shell";

/** In the configuration: the image itself is to run, though a profile could stand in. */
const ITSELF = "oci";

/**
 * Opens the images of this machine. What runs is, in this order: the profile that the configuration names; the image, if it was
 * loaded or pulled before; a profile that stands in for images of that name; the image, pulled. Interpreters are looked for
 * when the first image needs one.
 */
export async function openImages(options: ImagesOptions): Promise<OpenImages> {
  const { oci } = options;
  const environments = new PythonEnvironments({ ...options, directory: join(options.directory, "python") });
  const warm = new WarmPythons();
  let pythons: Promise<readonly PythonInterpreter[]> | undefined;
  const node = nodeProgram(process.execPath);
  let shell: ReturnType<typeof shellProgram>;
  return {
    list: () => oci?.list() ?? [],
    async files(request) {
      const name = nameOf(request.image);
      if (oci !== undefined) return (await oci.resolve(request, name)).files.directory;
      throw new ImageError("ErrImagePull", `image ${request.image} cannot be a volume here: this machine runs no images`);
    },
    [Symbol.asyncDispose]: () => warm[Symbol.asyncDispose](),
    async resolve(request) {
      const name = nameOf(request.image);
      const mapped = options.profiles?.[`${name.registry}/${name.repository}`] ?? options.profiles?.[name.repository];
      const isItself = mapped === ITSELF || (mapped === undefined && oci?.has(request.image) === true);
      const chosen = isItself ? undefined : profileOf(name, mapped);
      if (chosen === undefined && oci !== undefined && (isItself || mapped === undefined)) return oci.resolve(request, name);
      const { profile, packages } = chosen ?? refuse(request.image, name);
      const argv = commandLine(profile, request.command, request.args);
      switch (profile.kind) {
        case "python":
          pythons ??= findPythons(options.environment);
          return resolvePython(request, { profile, packages, argv, environments, warm, all: await pythons });
        case "node":
          return {
            imageId: `profile://node/${process.versions.node}`,
            profile: "node",
            note: `Node ${process.versions.node} of this machine runs instead of image ${request.image}`,
            argv,
            env: { PATH: `${node.directory}:${SYSTEM_PATH}`, NODE_VERSION: process.versions.node },
            mounts: node.mounts,
          };
        case "shell":
          shell ??= shellProgram(options.directory);
          return {
            imageId: "profile://shell",
            profile: "shell",
            note: `the shell and programs of this machine run instead of image ${request.image}`,
            argv,
            env: { PATH: shell === undefined ? SYSTEM_PATH : `${shell.target}:${SYSTEM_PATH}` },
            mounts: shell === undefined ? [] : [shell],
          };
      }
    },
  };
}

function nameOf(image: string): ImageName {
  const name = parseImageName(image);
  if (name !== undefined) return name;
  throw new ImageError("InvalidImageName", `${JSON.stringify(image)} is not an image name: expected [registry/]repository[:tag][@digest]`);
}

interface ChosenProfile {
  readonly profile: Profile;
  readonly packages: readonly string[];
}

/** The profile for an image, or for what the configuration names instead of it. */
function profileOf(name: ImageName, mapped: string | undefined): ChosenProfile | undefined {
  const [target = "", ...packages] = mapped?.split(/\s+/u) ?? [];
  const standIn = mapped === undefined ? name : parseImageName(target);
  const profile = standIn === undefined ? undefined : chooseProfile(standIn);
  return profile === undefined ? undefined : { profile, packages };
}

function refuse(image: string, { repository }: ImageName): never {
  throw new ImageError(
    "ErrImagePull",
    `image ${image} cannot run here: this machine runs no images, and no profile stands in for it. ${profileHint(repository)}`,
  );
}

interface PythonChoice {
  readonly profile: Profile;
  readonly packages: readonly string[];
  readonly argv: readonly string[];
  readonly environments: PythonEnvironments;
  readonly warm: WarmPythons;
  readonly all: readonly PythonInterpreter[];
}

async function resolvePython(request: ImageRequest, { profile, packages, argv, environments, warm, all }: PythonChoice): Promise<ResolvedImage> {
  const python = choosePython(all, profile.version);
  if (python === undefined) {
    const why = all.length === 0 ? "this machine has no Python 3" : "no Python of this machine can make virtual environments with pip";
    throw new ImageError("ErrImagePull", `image ${request.image} needs Python: ${why}: apt-get install python3 python3-venv`);
  }
  const requests = [...(packages.length === 0 ? [] : [packages]), ...pipRequests(argv)];
  const { directory, key } = await environments.get(python, requests, request);
  const version = python.version.join(".");
  const kfp = process.platform === "linux" ? kfpRequest(requests) : undefined;
  const start = kfp === undefined ? undefined : warm.start(await environments.get(python, [kfp], request));
  const path = [`${OVERLAY}/bin`, join(directory, "shims"), join(directory, "bin"), SYSTEM_PATH].join(":");
  return {
    imageId: `profile://python/${version}/${key}`,
    profile: "python",
    note: `Python ${version} of this machine runs instead of image ${request.image}`,
    argv,
    env: { PATH: path, LANG: "C.UTF-8", PYTHON_VERSION: version, [OVERLAY_VARIABLE]: OVERLAY, ...start?.env },
    mounts: [...interpreterMounts(python), { source: directory, target: directory, readOnly: true }, ...(start?.mounts ?? [])],
  };
}

/** A directory with an `sh` that knows `[[`, as those of Alpine and BusyBox do and Debian's does not, where this machine has one. */
function shellProgram(home: string): SandboxMount | undefined {
  const directory = join(home, "shell");
  const bash = ["/usr/bin/bash", "/bin/bash"].find((path) => existsSync(path));
  if (bash === undefined) return undefined;
  mkdirSync(directory, { recursive: true });
  const link = join(directory, "sh");
  if (!existsSync(link)) symlinkSync(bash, link);
  return { source: directory, target: SHELL, readOnly: true };
}

/** The directory that holds `node`, and what containers must see for it to run and to find the packages beside it. */
function nodeProgram(execPath: string): { readonly directory: string; readonly mounts: readonly SandboxMount[] } {
  const directory = dirname(realpathSync(execPath));
  const prefix = dirname(directory);
  if (/^\/usr(?:\/local)?$/u.test(prefix)) return { directory, mounts: [] };
  // As npm's package `node` it lies among the packages that were installed with it; an installation has npm in it.
  const packages = /^.*\/node_modules(?=\/)/u.exec(directory)?.[0];
  const shown = packages ?? (existsSync(join(prefix, "lib/node_modules/npm")) ? prefix : directory);
  return { directory, mounts: [{ source: shown, target: shown, readOnly: true }] };
}
