/** The thread of a `LogThread`: opens the file, tells what it holds, then commits what it is told to. */
import { parentPort, workerData } from "node:worker_threads";
import { Log, LogError } from "./log.ts";
import type { LogMessage, LogRequest } from "./log-thread.ts";

const PAGE_ROWS = 500;
const { path, maxBytes } = workerData as { readonly path: string; readonly maxBytes: number | undefined };

const log = openLog();
if (log !== undefined) serve(log);

function openLog(): Log | undefined {
  try {
    return new Log(path, maxBytes);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    tell({ refused: { message: error.message, fix: error.fix } });
    return undefined;
  }
}

function serve(opened: Log): void {
  tell({ opened: opened.revision });
  let page: { readonly key: string; readonly json: string }[] = [];
  for (const row of opened.rows()) {
    if (page.push(row) < PAGE_ROWS) continue;
    tell({ rows: page, isLast: false });
    page = [];
  }
  tell({ rows: page, isLast: true });
  parentPort?.on("message", (request: LogRequest) => {
    if ("close" in request) {
      opened.close();
      parentPort?.close();
      return;
    }
    try {
      opened.commit(request.commit, request.revision);
      tell({ committed: true });
    } catch (error) {
      tell({ failed: error instanceof Error ? error.message : String(error) });
    }
  });
}

function tell(message: LogMessage): void {
  parentPort?.postMessage(message);
}
