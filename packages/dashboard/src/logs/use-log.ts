import { useEffect, useRef, useState } from "react";
import { UserError } from "@sluice/kubernetes";
import { keepReading } from "../api/keep-reading.ts";
import { useServices } from "../api/services.ts";
import { LogBuffer } from "./log-buffer.ts";

/** A log so far. Another object whenever more has come; the buffer in it is the same and grows. */
export interface Log {
  readonly buffer: LogBuffer;
  /** `waiting` until something has come. */
  readonly state: "waiting" | "open" | "over" | "failed";
  /** What the server said, if it failed. */
  readonly problem?: string;
}

const FRAME_MS = 60;

/** Which log to read. */
export interface LogOptions {
  /** The pod that writes it: a new attempt has a new one, and a new log. */
  readonly pod: string;
  /** Whether more may still be written. */
  readonly isRunning: boolean;
  /** Whether the pod was deleted before it ended, and the log with it. */
  readonly isGone: boolean;
}

function noLog(): Log {
  return { buffer: new LogBuffer(), state: "waiting" };
}

/** Reads a task's log as it is written. */
export function useLog(runId: string, taskId: string, { pod, isRunning, isGone }: LogOptions): Log {
  const { pipelines, connection } = useServices();
  const [log, setLog] = useState<Log>(noLog);
  const source = `${runId}/${taskId}/${pod}`;
  const [shown, setShown] = useState(source);
  if (shown !== source) {
    setShown(source);
    setLog(noLog());
  }
  const fate = useRef({ isRunning, isGone });
  useEffect(() => void (fate.current = { isRunning, isGone }), [isRunning, isGone]);

  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (next: Log): void => {
      clearTimeout(timer);
      timer = undefined;
      if (!signal.aborted) setLog(next);
    };
    let last: LogBuffer | undefined;
    const end = (problem: string): void =>
      show(last === undefined ? { buffer: new LogBuffer(), state: "failed", problem } : { buffer: last, state: "over" });
    const read = async (onRead: () => void): Promise<void> => {
      if (fate.current.isGone) return end("The run was stopped, and the log went with the task's pod.");
      // A broken connection starts the log again; what was read stays on the screen until the same is there anew.
      const buffer = new LogBuffer();
      for await (const text of pipelines.logs(runId, taskId, { follow: true, signal })) {
        onRead();
        buffer.append(text);
        last = buffer;
        timer ??= setTimeout(() => show({ buffer, state: "open" }), FRAME_MS);
      }
      // A server that stops ends its streams in good order, and what the task writes meanwhile is still to come.
      if (fate.current.isRunning) throw new UserError("the log ended before its task did");
      show({ buffer, state: "over" });
    };
    keepReading(read, { connection, signal }).catch((error: Error) => end(error.message));
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [runId, taskId, pod, pipelines, connection]);
  return log;
}
