import { useEffect, useState } from "react";
import { ApiError } from "@sluice/kubernetes";
import { sleep } from "../api/connection.ts";
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
const LONGEST_PAUSE_MS = 5000;

/** Reads a task's log as it is written. `attempt` distinguishes the pods that a task had: a new one has a new log. */
export function useLog(runId: string, taskId: string, attempt: string): Log {
  const { pipelines, connection } = useServices();
  const [log, setLog] = useState<Log>(() => ({ buffer: new LogBuffer(), state: "waiting" }));

  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    setLog({ buffer: new LogBuffer(), state: "waiting" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const show = (next: Log): void => {
      clearTimeout(timer);
      timer = undefined;
      if (!signal.aborted) setLog(next);
    };
    const read = async (): Promise<void> => {
      for (let failures = 0; !signal.aborted; failures++) {
        if (failures > 0) await sleep(Math.min(200 * 2 ** failures, LONGEST_PAUSE_MS), signal);
        await connection.untilOnline(signal);
        // A broken connection starts the log again; what was read stays on the screen until the same is there anew.
        const buffer = new LogBuffer();
        try {
          for await (const text of pipelines.logs(runId, taskId, { follow: true, signal })) {
            buffer.append(text);
            timer ??= setTimeout(() => show({ buffer, state: "open" }), FRAME_MS);
          }
          return show({ buffer, state: "over" });
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof ApiError && error.code < 500) return show({ buffer, state: "failed", problem: error.message });
          connection.check();
        }
      }
    };
    void read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [runId, taskId, attempt, pipelines, connection]);
  return log;
}
