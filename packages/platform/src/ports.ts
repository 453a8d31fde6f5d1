import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { basename } from "node:path";
import { UserError } from "@sluice/kubernetes";

/** Throws a `UserError` unless `port` can be listened on; it names the process that has it, where this machine tells. */
export async function checkPort(host: string, port: number, flag: string): Promise<void> {
  if (port === 0) return;
  const code = await tryPort(host, port);
  if (code === undefined) return;
  if (code === "EADDRINUSE") {
    const holder = await holderOf(port);
    throw new UserError(`port ${port} is taken${holder === undefined ? "" : ` by ${holder}`}`, {
      fix: `stop that, or choose another one with ${flag}`,
    });
  }
  const problem = code === "EACCES" ? "only root may use it" : code === "EADDRNOTAVAIL" ? "this machine has no such address" : code;
  throw new UserError(`cannot listen on ${host}:${port}: ${problem}`, { fix: `choose another port with ${flag}` });
}

/** The error's code, if there is one. */
function tryPort(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** `name (process 123)` of who listens on a port; Linux only, and only for processes of this user. */
async function holderOf(port: number): Promise<string | undefined> {
  try {
    const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "utf8").catch(() => "")));
    const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const rows = tables.flatMap((table) => table.split("\n")).map((line) => line.trim().split(/\s+/u));
    const LISTEN = "0A";
    const sockets = new Set(rows.filter((row) => row[1]?.endsWith(suffix) === true && row[3] === LISTEN).map((row) => `socket:[${row[9] ?? ""}]`));
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/u.test(name))) {
      for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
        const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
        if (sockets.has(target)) return `${nameOf(await readFile(`/proc/${pid}/cmdline`, "utf8"))} (process ${pid})`;
      }
    }
  } catch {
    // No /proc: the port is taken all the same.
  }
  return undefined;
}

/** The program that a command line starts, and what an interpreter runs: `node sluice.js`. */
function nameOf(commandLine: string): string {
  const [program = "", ...words] = commandLine.split("\0").map((word) => basename(word));
  const script = words.find((word) => /\.(?:[cm]?[jt]s|py)$/u.test(word));
  return script === undefined ? program : `${program} ${script}`;
}
