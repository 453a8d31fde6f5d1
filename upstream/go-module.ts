import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** A published Go module, and the program in it. */
export interface GoModule {
  readonly module: string;
  readonly version: string;
  /** The program's package. */
  readonly main: string;
}

/** What is built from it once is kept here, by version. */
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sluice-upstream");

/** Builds the program as it was published, and tells where it and the module's own files are. */
export function installModule({ module, version, main }: GoModule): { readonly program: string; readonly directory: string } {
  if (spawnSync("go", ["version"]).status !== 0)
    throw new Error("Go 1.25 or newer is needed to build upstream's controllers\n  fix: install it, so that `go version` answers");
  const directory = JSON.parse(go(["mod", "download", "-json", `${module}@${version}`])) as { readonly Dir: string };
  const home = join(CACHE, `${module.replaceAll("/", "_")}@${version}`);
  const program = join(home, "manager");
  if (existsSync(program)) return { program, directory: directory.Dir };
  process.stdout.write(`building ${main} ${version} with Go; this takes some minutes, once …\n`);
  const workspace = mkdtempSync(join(tmpdir(), "sluice-go-"));
  try {
    writeFileSync(join(workspace, "go.mod"), `module upstream\n\ngo 1.25.0\n\nrequire ${module} ${version}\n`);
    mkdirSync(home, { recursive: true });
    go(["install", "-mod=mod", "-ldflags=-s -w", main], workspace, { GOBIN: join(workspace, "bin"), CGO_ENABLED: "0" });
    execFileSync("mv", [join(workspace, "bin", main.split("/").findLast((part) => !/^v\d+$/u.test(part)) ?? ""), program]);
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
  return { program, directory: directory.Dir };
}

function go(args: readonly string[], cwd: string = tmpdir(), env: Record<string, string> = {}): string {
  return execFileSync("go", args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  });
}
