import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { HostCommand, SandboxMount, SandboxProcess } from "../../sandbox/sandbox.ts";
import { ImageError } from "../images.ts";
import type { PipRequest } from "./pip-requests.ts";
import { BUILDER, MARKER } from "./environment-files.ts";
import type { Environment, PythonInterpreter } from "./interpreters.ts";
import { SharedWork, type Share, type Waiter } from "../shared-work.ts";

/** A Python and what is installed into it. */
export interface PythonEnvironment {
  readonly directory: string;
  /** Tells it from all others; it is the same for equal requests. */
  readonly key: string;
}

/** What the cache of environments needs. */
export interface PythonEnvironmentsOptions {
  readonly directory: string;
  /** Where pip finds its own configuration. */
  readonly environment: Environment;
  /** Runs what packages bring along, as they are installed, apart from the rest of this machine. */
  isolate(process: SandboxProcess): HostCommand;
}

const LAST_LINES = 12;

/** Virtual environments, each built once for all containers that ask for the same packages. */
export class PythonEnvironments {
  readonly #options: PythonEnvironmentsOptions;
  readonly #builds = new SharedWork<void>();

  constructor(options: PythonEnvironmentsOptions) {
    this.#options = options;
  }

  /** Resolves once the environment is there. Throws `ImageError` with pip's last words. */
  async get(python: PythonInterpreter, requests: readonly PipRequest[], waiter: Waiter): Promise<PythonEnvironment> {
    const key = createHash("sha256")
      .update(JSON.stringify([python.program, python.version, requests, BUILDER]))
      .digest("hex")
      .slice(0, 16);
    const home = join(this.#options.directory, key);
    const directory = join(home, "environment");
    if (!existsSync(join(directory, MARKER))) await this.#builds.join(key, waiter, (share) => this.#build(home, { python, requests, share }));
    return { directory, key };
  }

  async #build(
    home: string,
    { python, requests, share }: { python: PythonInterpreter; requests: readonly PipRequest[]; share: Share },
  ): Promise<void> {
    const { signal, tell } = share;
    const version = python.version.join(".");
    const names = requests.flat().filter((word) => !word.startsWith("-"));
    tell(names.length === 0 ? `preparing a Python ${version} environment` : `installing ${names.join(" ")} into a new Python ${version} environment`);
    mkdirSync(home, { recursive: true });
    const cache = join(this.#options.directory, "cache");
    mkdirSync(cache, { recursive: true });
    const { argv, env, cwd } = this.#options.isolate({
      container: "python",
      argv: [python.program, "-I", "-c", BUILDER, home, JSON.stringify(requests)],
      env: { ...toolEnvironment(this.#options.environment), PIP_CACHE_DIR: cache, TMPDIR: join(home, "tmp") },
      mounts: [...interpreterMounts(python), ...configurationMounts(this.#options.environment), writable(home), writable(cache)],
      limits: {},
    });
    const lines: string[] = [];
    const code = await new Promise<number | null>((resolve, reject) => {
      const [program = "", ...args] = argv;
      const child = spawn(program, args, {
        env: { ...env },
        cwd,
        stdio: ["ignore", "pipe", "pipe"],
        signal,
        killSignal: "SIGKILL",
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          lines.push(line);
          if (lines.length > LAST_LINES) lines.shift();
          if (/^(?:Collecting|Downloading|Building|Installing)\b/u.test(line.trim())) tell(line.trim());
        });
      }
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code === 0) return;
    const said = lines.filter((line) => !line.startsWith("[notice]")).join("\n");
    throw new ImageError("ErrImagePull", `pip cannot install ${names.join(" ") || "itself"} for Python ${version}: ${said || `exit code ${code}`}`);
  }
}

/** What containers need to see of an interpreter. */
export function interpreterMounts({ prefix }: PythonInterpreter): readonly SandboxMount[] {
  return prefix === "/usr" || prefix === "/usr/local" ? [] : [{ source: prefix, target: prefix, readOnly: true }];
}

function writable(path: string): SandboxMount {
  return { source: path, target: path, readOnly: false };
}

/** pip's own configuration, proxies and certificates: everything but what would change which Python runs. */
function toolEnvironment(environment: Environment): Readonly<Record<string, string>> {
  const kept = Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && /^(?:PIP_|SSL_CERT_|REQUESTS_CA_BUNDLE$|CURL_CA_BUNDLE$|HOME$|LANG$|PATH$|(?:https?|no|all)_proxy$)/iu.test(name)
      ? [[name, value] as const]
      : [],
  );
  return Object.fromEntries(kept);
}

function configurationMounts({ HOME: home }: Environment): readonly SandboxMount[] {
  if (home === undefined) return [];
  return [join(home, ".config/pip"), join(home, ".pip")]
    .filter((path) => existsSync(path))
    .map((path) => ({ source: path, target: path, readOnly: true }));
}
