import { once } from "node:events";
import {
  type ClusterAccess,
  createClient,
  createHttpsTransport,
  executeCommand,
  type ForwardedPort,
  forwardPort,
  type TerminalSize,
} from "@sluice/client";
import { UserError } from "@sluice/kubernetes";
import type { DebugPod } from "@sluice/sdk";
import { clusterAccess, type ClusterOptions } from "../cluster-access.ts";
import { attachHint, shellHint } from "../debug-hints.ts";
import { DebugSession } from "../debug-session.ts";
import { connect, runIdOf } from "../server.ts";
import { stepsOf } from "../task-tree.ts";

/** The local ports that debuggers look at unless told otherwise. */
const PORTS = { python: 5678, node: 9229 } as const;
/** What a program writes once it waits for its debugger. */
const WAITS = { python: /^waiting for a debugger on port \d+$/mu, node: /^Debugger listening on ws:/mu, shell: /^ready$/mu } as const;
const SHELL = ["sh", "-c", "if command -v bash >/dev/null; then exec bash; else exec sh; fi"];

/** How to debug. */
export interface DebugOptions extends ClusterOptions {
  readonly shell?: boolean;
  /** The local port; 0 takes any. */
  readonly port?: number;
}

/** Runs a step once more, with the same inputs, in a pod of its own that waits for a debugger; resolves with its exit code. */
export async function debugRun(run: string, wanted: string, { shell = false, port, ...server }: DebugOptions): Promise<number> {
  const pipelines = connect(server);
  const runId = await runIdOf(pipelines, run);
  const step = stepsOf((await pipelines.getRun(runId)).tasks ?? []).find(({ task, name }) => task.task_id === wanted || name === wanted);
  const debugged = await pipelines.debugPod(runId, step?.task.task_id ?? wanted, shell ? "SHELL" : "DEBUGGER");
  const access = await clusterAccess(server);
  using transport = createHttpsTransport(access);
  using interrupt = interruption();
  const { signal } = interrupt;
  for (const note of debugged.notes) say(note);

  const { debugger: target } = debugged;
  await using forwarded =
    target.kind === "shell" ? undefined : await forward(access, debugged, { port: target.port, localPort: port ?? PORTS[target.kind] });
  const { pod } = debugged;
  await using session = await DebugSession.open(pod, { client: createClient(transport), signal, say });
  say(`created pod ${pod.metadata.name}: step ${debugged.name} once more, with the same image, inputs and environment`);
  await session.began;
  if (target.kind === "shell") {
    await Promise.race([follow(session, { kind: target.kind, signal, waits: () => "stop" }), session.ended]);
    process.stderr.write(shellHint(debugged, target.script));
    // Awaited here, for the session ends with this scope.
    return await openShell(access, session, signal);
  }
  const { kind, stops_in: stopsIn } = target;
  const waits = (): void => void process.stderr.write(attachHint({ kind, stopsIn }, forwarded?.localPort ?? 0));
  const [code] = await Promise.all([session.ended, follow(session, { kind, signal, waits })]);
  say(`the step ended with exit code ${code}; its outputs were not kept`);
  return code;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Aborts at Ctrl-C and at SIGTERM, so that what was made is taken away; once more, and the program ends at once. */
function interruption(): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  const abort = (): void => stop.abort(new UserError("interrupted"));
  process.once("SIGINT", abort).once("SIGTERM", abort);
  return { signal: stop.signal, [Symbol.dispose]: () => void process.off("SIGINT", abort).off("SIGTERM", abort) };
}

async function forward(access: ClusterAccess, { pod }: DebugPod, { port, localPort }: { port: number; localPort: number }): Promise<ForwardedPort> {
  const { namespace, name } = pod.metadata;
  try {
    return await forwardPort(access, { namespace, name }, { port, localPort, failed: (reason) => say(`port ${localPort}: ${reason}`) });
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    if (!isTaken) throw cause;
    throw new UserError(`port ${localPort} of this machine is taken`, { fix: "choose another one with --port; 0 takes any", cause });
  }
}

interface Followed {
  readonly kind: DebugPod["debugger"]["kind"];
  readonly signal: AbortSignal;
  /** Called once when it waits for somebody; "stop" ends the following. */
  waits(): "stop" | void;
}

/** Prints what the step writes, until it has ended. */
async function follow(session: DebugSession, { kind, signal, waits }: Followed): Promise<void> {
  const decoder = new TextDecoder();
  let written: string | undefined = "";
  for await (const chunk of session.log(signal)) {
    const text = decoder.decode(chunk, { stream: true });
    if (kind !== "shell") process.stdout.write(text);
    if (written === undefined) continue;
    written += text;
    if (!WAITS[kind].test(written)) continue;
    written = undefined;
    if (waits() === "stop") return;
  }
}

async function openShell(access: ClusterAccess, { key }: DebugSession, signal: AbortSignal): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const tty = stdin.isTTY === true && stdout.isTTY === true;
  const ended = new AbortController();
  if (tty) stdin.setRawMode(true);
  try {
    const sizes = tty ? terminalSizes(AbortSignal.any([signal, ended.signal])) : undefined;
    return await executeCommand(access, key, { container: "main", command: SHELL, tty, stdin, stdout, stderr, sizes, signal });
  } finally {
    ended.abort();
    if (tty) stdin.setRawMode(false);
  }
}

async function* terminalSizes(signal: AbortSignal): AsyncGenerator<TerminalSize> {
  const { stdout } = process;
  while (!signal.aborted) {
    yield { width: stdout.columns, height: stdout.rows };
    await once(stdout, "resize", { signal }).catch(() => undefined); // Aborted: the shell has ended.
  }
}
