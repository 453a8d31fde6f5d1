import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureKubectl } from "../clients/kubectl.ts";
import { installModule, type GoModule } from "./go-module.ts";
import { writeImageArchive } from "./image-archive.ts";

const SLUICE = join(import.meta.dirname, "../packages/cli/bin/sluice.js");
const run = promisify(execFile);

/** A cluster that runs upstream's controllers as anybody would install them: their images, and their manifests. */
export interface UpstreamCluster extends Disposable {
  readonly directory: string;
  /** Runs kubectl; fails with what it says. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Builds a published controller and makes it the image that its manifests ask for; the module's own files. */
  install(module: GoModule, image: string): Promise<{ readonly directory: string }>;
}

/** Starts `sluice cluster` in a directory of its own. */
export function startUpstreamCluster(): UpstreamCluster {
  const directory = mkdtempSync(join(tmpdir(), "sluice-upstream-"));
  const sluice = (...args: string[]): string => execFileSync(process.execPath, [SLUICE, ...args, "--data-dir", directory], { encoding: "utf8" });
  sluice("cluster", "--api-port", "0", "--detach");
  const kubectl = ensureKubectl(join(import.meta.dirname, "../.venv/bin"));
  const env = { ...process.env, KUBECONFIG: join(directory, "kubeconfig") };
  return {
    directory,
    kubectl: async (args, input) => {
      const child = run(kubectl, [...args], { env, maxBuffer: 2 ** 26 });
      if (input !== undefined) child.child.stdin?.end(input);
      return (await child).stdout;
    },
    install: async (module, image) => {
      const { program, directory: files } = installModule(module);
      const archive = join(directory, "image.tar");
      await writeImageArchive(archive, program);
      sluice("image", "load", archive, "--name", image);
      rmSync(archive);
      rmSync(`${archive}.layer`);
      return { directory: files };
    },
    [Symbol.dispose]() {
      const { status } = spawnSync(process.execPath, [SLUICE, "down", "--data-dir", directory], { stdio: "ignore" });
      if (status === 0) rmSync(directory, { recursive: true, force: true });
    },
  };
}
