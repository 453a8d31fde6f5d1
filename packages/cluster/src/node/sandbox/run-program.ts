import { spawn } from "node:child_process";
import type { Launcher } from "../runtime/launcher.ts";

/** How a short-lived program ended. `code` is 127 where it could not be started. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without a language, programs read no locale, and say what they always say. */
const PLAIN: Readonly<Record<string, string>> = { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

/** Runs a program of this machine to its end, with `input` on its standard input. Never throws: look at `code`. */
export function runProgram(argv: readonly string[], input = ""): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const [program = "", ...args] = argv;
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: PLAIN });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", (error) => resolve({ code: 127, stdout, stderr: error.message }));
    child.on("close", (code) => resolve({ code: code ?? 128, stdout, stderr: stderr.trim() }));
    // A program that ends without reading its input breaks the pipe; its exit code tells more than that error.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

const MOST_BYTES = 2 ** 20;

/** As `runProgram`, from the launcher's small process: a fork of this large one costs milliseconds. What the program says on either stream is both. */
export async function runFrom(launcher: Launcher, argv: readonly string[], input?: string): Promise<ProgramResult> {
  try {
    const { signal } = new AbortController();
    const { exitCode, output } = await launcher.run({ argv, env: PLAIN, cwd: "/" }, { signal, maxBytes: MOST_BYTES, input });
    return { code: exitCode, stdout: output, stderr: output.trim() };
  } catch (error) {
    return { code: 127, stdout: "", stderr: error instanceof Error ? error.message : String(error) };
  }
}
