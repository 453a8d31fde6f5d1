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
  /** Installs a published controller: its manifests, made from the module's own files, and its program as the image that they ask for. */
  install(module: GoModule, manifestsOf: (directory: string) => Promise<string>): Promise<void>;
}

/** Starts `sluice cluster` in a directory of its own. */
export function startUpstreamCluster(): UpstreamCluster {
  const directory = mkdtempSync(join(tmpdir(), "sluice-upstream-"));
  const sluice = (...args: string[]): string => execFileSync(process.execPath, [SLUICE, ...args, "--data-dir", directory], { encoding: "utf8" });
  sluice("cluster", "--api-port", "0", "--detach");
  const program = ensureKubectl(join(import.meta.dirname, "../.venv/bin"));
  const env = { ...process.env, KUBECONFIG: join(directory, "kubeconfig") };
  const kubectl: UpstreamCluster["kubectl"] = async (args, input) => {
    const running = run(program, [...args], { env, maxBuffer: 2 ** 26 });
    if (input !== undefined) running.child.stdin?.end(input);
    return (await running).stdout;
  };
  return {
    directory,
    kubectl,
    install: async (module, manifestsOf) => {
      const { program: manager, directory: files } = installModule(module);
      // The image is here, and in no registry.
      const manifests = (await manifestsOf(files)).replaceAll("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent");
      const image = /^\s+(?:- )?image: (?<name>\S+)$/mu.exec(manifests)?.groups?.["name"];
      if (image === undefined) throw new Error(`the manifests of ${module.module} name no image`);
      const archive = join(directory, "image.tar");
      await writeImageArchive(archive, manager);
      sluice("image", "load", archive, "--name", image);
      await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], manifests);
    },
    [Symbol.dispose]() {
      // Pods outlive their cluster; these must not.
      execFileSync(program, ["delete", "deployments", "--all-namespaces", "--all"], { env, stdio: "ignore" });
      execFileSync(program, ["delete", "pods", "--all-namespaces", "--all", "--grace-period=1", "--timeout=60s"], { env, stdio: "ignore" });
      const { status } = spawnSync(process.execPath, [SLUICE, "down", "--data-dir", directory], { stdio: "ignore" });
      if (status === 0) rmSync(directory, { recursive: true, force: true });
    },
  };
}
