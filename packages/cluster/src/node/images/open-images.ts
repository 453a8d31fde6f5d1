import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HostCommand, SandboxMount, SandboxProcess } from "../sandbox/sandbox.ts";
import { parseImageName } from "./image-name.ts";
import { ImageError, type ImageRequest, type Images, type ResolvedImage } from "./images.ts";
import { pipRequests } from "./pip-requests.ts";
import { chooseProfile, commandLine, type Profile, PROFILE_IMAGES } from "./profiles.ts";
import { interpreterMounts, PythonEnvironments } from "./python-environments.ts";
import { OVERLAY_VARIABLE } from "./python-files.ts";
import { choosePython, type Environment, findPythons, type PythonInterpreter } from "./python-interpreters.ts";

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
  /** Makes a command run apart from the rest of this machine, as `Sandboxes.isolate` does. */
  isolate(process: SandboxProcess): HostCommand;
}

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** In the container's own `/tmp`, and gone with it. */
const OVERLAY = "/tmp/.python";

/** Opens the image profiles of this machine. Interpreters are looked for when the first image needs one. */
export async function openImages(options: ImagesOptions): Promise<Images> {
  const environments = new PythonEnvironments({ ...options, directory: join(options.directory, "python") });
  let pythons: Promise<readonly PythonInterpreter[]> | undefined;
  const node = nodeProgram(process.execPath);
  return {
    async resolve(request) {
      const { profile, packages } = profileOf(request.image, options.profiles ?? {});
      const argv = commandLine(profile, request.command, request.args);
      switch (profile.kind) {
        case "python":
          pythons ??= findPythons(options.environment);
          return resolvePython(request, { profile, packages, argv, environments, all: await pythons });
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
          return {
            imageId: "profile://shell",
            profile: "shell",
            note: `the shell and programs of this machine run instead of image ${request.image}`,
            argv,
            env: { PATH: SYSTEM_PATH },
            mounts: [],
          };
      }
    },
  };
}

function profileOf(image: string, mapped: Readonly<Record<string, string>>): { readonly profile: Profile; readonly packages: readonly string[] } {
  const name = parseImageName(image);
  if (name === undefined)
    throw new ImageError("InvalidImageName", `${JSON.stringify(image)} is not an image name: expected [registry/]repository[:tag][@digest]`);
  const [target, ...packages] = (mapped[`${name.registry}/${name.repository}`] ?? mapped[name.repository] ?? image).split(/\s+/u);
  const standIn = parseImageName(target ?? "");
  const profile = standIn === undefined ? undefined : chooseProfile(standIn);
  if (profile !== undefined) return { profile, packages };
  throw new ImageError(
    "ErrImagePull",
    `image ${image} cannot run here: images are not pulled on this machine yet, and no profile stands in for it. ` +
      `There are profiles for ${PROFILE_IMAGES.join(", ")}; to use one, name it in sluice.yaml in the data directory, ` +
      `e.g. imageProfiles: {"${name.repository}": "python:3.11"}.`,
  );
}

interface PythonChoice {
  readonly profile: Profile;
  readonly packages: readonly string[];
  readonly argv: readonly string[];
  readonly environments: PythonEnvironments;
  readonly all: readonly PythonInterpreter[];
}

async function resolvePython(request: ImageRequest, { profile, packages, argv, environments, all }: PythonChoice): Promise<ResolvedImage> {
  const python = choosePython(all, profile.version);
  if (python === undefined) {
    const why = all.length === 0 ? "this machine has no Python 3" : "no Python of this machine can make virtual environments with pip";
    throw new ImageError("ErrImagePull", `image ${request.image} needs Python: ${why}: apt-get install python3 python3-venv`);
  }
  const requests = [...(packages.length === 0 ? [] : [packages]), ...pipRequests(argv)];
  const { directory, key } = await environments.get(python, requests, request);
  const version = python.version.join(".");
  return {
    imageId: `profile://python/${version}/${key}`,
    profile: "python",
    note: `Python ${version} of this machine runs instead of image ${request.image}`,
    argv,
    env: { PATH: `${OVERLAY}/bin:${join(directory, "bin")}:${SYSTEM_PATH}`, LANG: "C.UTF-8", PYTHON_VERSION: version, [OVERLAY_VARIABLE]: OVERLAY },
    mounts: [...interpreterMounts(python), { source: directory, target: directory, readOnly: true }],
  };
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
