import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, openSync } from "node:fs";
import { createInterface } from "node:readline";

/** A system call that has succeeded, in the order in which it has. */
export interface SystemCall {
  readonly name: string;
  /** As strace writes them, but for strings, which are bytes, and descriptors, which are the names of their files. */
  readonly args: readonly (string | Buffer)[];
}

const TRACED = "openat,write,pwrite64,pwritev,pwritev2,writev,ftruncate,fallocate,fdatasync,fsync,sync_file_range,unlink,unlinkat,rename,renameat2";

/** Runs Node with `args`, its stdout in the file `output`, and records in `trace` what it does to `files` and to `output`. */
export async function recordSystemCalls(
  args: readonly string[],
  { files, output, trace }: { readonly files: readonly string[]; readonly output: string; readonly trace: string },
): Promise<void> {
  const paths = [...files, output].flatMap((file) => ["-P", file]);
  const strace = ["-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-e", `trace=${TRACED}`, ...paths, "-o", trace];
  const child = spawn("strace", [...strace, process.execPath, ...args], { stdio: ["ignore", openSync(output, "a"), "inherit"] });
  const missing = once(child, "error").then(() => Promise.reject(new Error("there is no strace: apt-get install strace")));
  const [code] = (await Promise.race([once(child, "exit"), missing])) as [number | null];
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${String(code)}`);
}

/** Reads what `recordSystemCalls` has recorded. A call that another thread's overlaps counts where it ends. */
export async function* systemCalls(trace: string): AsyncGenerator<SystemCall> {
  const begun = new Map<string, string>();
  for await (const line of createInterface({ input: createReadStream(trace, "latin1") })) {
    const thread = line.slice(0, line.indexOf(" "));
    let call = line.slice(thread.length).trimStart();
    if (call.endsWith("<unfinished ...>")) {
      begun.set(thread, call.slice(0, -"<unfinished ...>".length));
      continue;
    }
    if (call.startsWith("<... ")) call = `${begun.get(thread) ?? ""}${call.slice(call.indexOf(" resumed>") + " resumed>".length)}`;
    const open = call.indexOf("(");
    const close = call.lastIndexOf(")");
    if (open < 0 || !/^\s*= [0-9]/u.test(call.slice(close + 1))) continue;
    const args = call.slice(open + 1, close).split(",");
    yield { name: call.slice(0, open), args: args.map((argument) => read(argument.trim())) };
  }
}

function read(argument: string): string | Buffer {
  if (argument.startsWith('"')) return bytesOf(argument.slice(1, argument.lastIndexOf('"')));
  const file = /^\w+<(.*)>$/u.exec(argument)?.[1];
  return file === undefined ? argument : bytesOf(file).toString();
}

function bytesOf(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll("\\x", ""), "hex");
}
