import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Container } from "@sluice/kubernetes";
import type { ContainerExit } from "../lifecycle/observed-pod.ts";
import { logTail } from "../logs/read-log.ts";
import type { RawExit } from "../runtime/container-handle.ts";
import { KILLED } from "../runtime/container-process.ts";
import { TERMINATION_LOG } from "./start-container.ts";

/** As container runtimes report it. */
const CANNOT_RUN = 128;
const MESSAGE_BYTES = 4096;
const FALLBACK = { lines: 80, bytes: 2048 };

/** What is told of an ended container: its code, why, and its last words. */
export async function describeExit(
  container: Container,
  raw: RawExit,
  options: {
    readonly directory: string;
    readonly startedAt: number | undefined;
    readonly wasOutOfMemory: () => Promise<boolean>;
    readonly startFailure: () => string | undefined;
  },
): Promise<ContainerExit> {
  const { exitCode, finishedAt, how } = raw;
  const { directory, startedAt, wasOutOfMemory } = options;
  const times = { startedAt: Math.min(startedAt ?? finishedAt, finishedAt), finishedAt };
  if (how === "lost") {
    return {
      exitCode,
      reason: "ContainerStatusUnknown",
      message: "The container is gone, and left no exit code: it was killed together with its supervisor, or the machine went down",
      ...times,
    };
  }
  if (how === "cannotRun") return { exitCode, reason: "ContainerCannotRun", message: (await logTail(directory, FALLBACK)).trimEnd(), ...times };
  const failure = exitCode === 0 ? undefined : options.startFailure();
  if (failure !== undefined) return { exitCode: CANNOT_RUN, reason: "ContainerCannotRun", message: failure, ...times };
  const isOutOfMemory = exitCode === KILLED && (await wasOutOfMemory());
  const reason = isOutOfMemory ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  const message = await lastWords(container, directory, exitCode);
  return { exitCode, reason, ...(message === "" ? {} : { message }), ...times };
}

async function lastWords(container: Container, directory: string, exitCode: number): Promise<string> {
  const path = join(directory, TERMINATION_LOG);
  const message = existsSync(path) ? await readStart(path) : "";
  if (message !== "" || exitCode === 0 || container.terminationMessagePolicy !== "FallbackToLogsOnError") return message;
  return logTail(directory, FALLBACK);
}

async function readStart(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MESSAGE_BYTES), 0, MESSAGE_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
