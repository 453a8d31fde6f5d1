import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Of kubectl's own modules, whose v0.N is kubectl v1.N. */
const VERSION = "v0.34.3";
/** The oldest that waits for what is not there yet. */
const OLDEST_MINOR = 31;

const MAIN = `package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
`;

/** The path of a kubectl: this machine's own, or one built with Go from kubectl's modules and kept in `directory`. */
export function ensureKubectl(directory: string): string {
  if (isRecent("kubectl")) return "kubectl";
  const path = join(directory, "kubectl");
  if (existsSync(path) && isRecent(path)) return path;
  if (spawnSync("go", ["version"]).status !== 0) {
    process.stderr.write(
      `error: kubectl 1.${OLDEST_MINOR} or newer is needed, or Go to build it\n  fix: apt-get install golang-go, or put kubectl on the PATH\n`,
    );
    process.exit(1);
  }
  process.stdout.write("building kubectl with Go; this takes some minutes, once …\n");
  const source = mkdtempSync(join(tmpdir(), "sluice-kubectl-"));
  try {
    writeFileSync(join(source, "main.go"), MAIN);
    const go = (...args: string[]): void => void execFileSync("go", args, { cwd: source, stdio: "inherit" });
    go("mod", "init", "kubectl");
    go("get", `k8s.io/kubectl/pkg/cmd@${VERSION}`, `k8s.io/component-base/cli@${VERSION}`);
    mkdirSync(directory, { recursive: true });
    const version = "k8s.io/component-base/version";
    const [, minor = ""] = VERSION.split(".");
    const flags = [`${version}.gitVersion=${VERSION.replace("v0", "v1")}`, `${version}.gitMajor=1`, `${version}.gitMinor=${minor}`].map(
      (flag) => `-X ${flag}`,
    );
    go("build", "-ldflags", flags.join(" "), "-o", path, ".");
  } finally {
    rmSync(source, { recursive: true, force: true });
  }
  return path;
}

function isRecent(command: string): boolean {
  const { status, stdout } = spawnSync(command, ["version", "--client", "-o", "json"], { encoding: "utf8" });
  if (status !== 0) return false;
  const { clientVersion } = JSON.parse(stdout) as { clientVersion?: { minor?: string } };
  return Number.parseInt(clientVersion?.minor ?? "0", 10) >= OLDEST_MINOR;
}
