import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "@sluice/kubernetes";
import { LogIndex } from "../logs/log-index.ts";
import type { NodeContext } from "../node-context.ts";
import type { ContainerHandle } from "../runtime/container-handle.ts";
import { makeInput } from "../runtime/container-input.ts";
import { ContainerProcess, type ContainerProcessOptions } from "../runtime/container-process.ts";
import { ContainerProgram } from "../runtime/container-program.ts";
import type { AttemptRecord, PodDirectory } from "../runtime/pod-directory.ts";
import { FILES } from "../runtime/supervisor.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { quote, terminalCommand } from "../sandbox/terminal.ts";
import { hostPathOf } from "../volumes/mounts.ts";
import type { PreparedContainer } from "./prepare-container.ts";

/** A container under way, with the index of its log. */
export interface StartedContainer {
  readonly handle: ContainerHandle;
  readonly index: LogIndex;
}

/** Where and how a container starts. */
export interface StartOptions {
  readonly node: NodeContext;
  readonly directory: PodDirectory;
  readonly podUid: string;
  readonly sandbox: Sandbox;
  readonly record: AttemptRecord;
  /** Aborts while nothing has been started yet. */
  readonly signal: AbortSignal;
}

/** The file by which a container tells its last words. */
export const TERMINATION_LOG = "termination-log";

/** Starts a container: its attempt is on disk before anything runs. */
export async function startContainer(container: Container, prepared: PreparedContainer, options: StartOptions): Promise<StartedContainer> {
  const { directory, record, node, podUid, sandbox, signal } = options;
  signal.throwIfAborted();
  const attempt = directory.writeAttempt(container.name, record);
  if (prepared.kind === "program") return startProgram(container, prepared, options);

  const message = join(attempt, TERMINATION_LOG);
  if (node.sandboxes.features.isolation !== "none" || prepared.process.root !== undefined) {
    writeFileSync(message, "");
    // Whoever the container's process is, it may write there.
    chmodSync(message, 0o666);
  }
  await node.journal.record(podUid, container.name, record.index);
  signal.throwIfAborted();
  const { process } = prepared;
  const mount = { source: message, target: container.terminationMessagePath ?? "/dev/termination-log", readOnly: false };
  const index = new LogIndex(attempt, node.clock);
  const { stdin = false, tty = false } = container;
  const inside = sandbox.command({ ...process, mounts: [...process.mounts, mount], tty });
  const command = tty ? terminalCommand(inside, `tty > ${quote(join(attempt, FILES.tty))}`) : inside;
  if (stdin) await makeInput(node.launcher, attempt);
  const handle = ContainerProcess.start(attempt, command, { ...processOptions(options, index), stdin });
  return { handle, index };
}

/** Takes over a process that an earlier run of this program has started. */
export function adoptContainer(container: string, options: Omit<StartOptions, "signal">): StartedContainer {
  const { directory, record, node } = options;
  const attempt = directory.attempt(container, record.index);
  const index = new LogIndex(attempt, node.clock);
  index.note();
  return { handle: ContainerProcess.adopt(attempt, processOptions(options, index)), index };
}

function processOptions({ node, sandbox, record }: Omit<StartOptions, "signal">, index: LogIndex): ContainerProcessOptions {
  return {
    launcher: node.launcher,
    signal: (pid, signal) => sandbox.signal(pid, signal === "SIGTERM" ? (record.stopSignal ?? signal) : signal),
    onLog: () => index.note(),
    now: () => node.clock.now(),
  };
}

/** Runs a program in this process, or runs it again: it bears that, and its log says so. */
function startProgram(
  container: Container,
  prepared: Extract<PreparedContainer, { kind: "program" }>,
  { directory, record, node }: StartOptions,
): StartedContainer {
  const attempt = directory.attempt(container.name, record.index);
  const index = new LogIndex(attempt, node.clock);
  const handle = new ContainerProgram({
    program: prepared.program,
    args: prepared.args,
    env: prepared.env,
    pod: prepared.pod,
    hostPath: (path) => hostPathOf(path, prepared.mounts),
    log: (line) => {
      writeFileSync(join(attempt, FILES.log), `${line}\n`, { flag: "a" });
      index.note();
    },
    logger: node.logger,
    now: () => node.clock.now(),
  });
  return { handle, index };
}
