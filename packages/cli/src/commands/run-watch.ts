import { isFinished, type PipelinesClient, type RunChange, type RunTask } from "@sluice/sdk";
import { durationOf } from "../format.ts";
import { LiveView } from "../live-view.ts";
import { LogTail } from "../log-tail.ts";
import { renderRun, renderStep } from "../render-run.ts";
import { connect, runIdOf, type ServerOptions } from "../server.ts";
import { stepsOf } from "../task-tree.ts";

const LOG_LINES = 5;

/** The size of a terminal that does not tell its own. */
const ROWS = 24;
const COLUMNS = 80;

/** Shows a run until it is over; resolves to whether it succeeded. */
export async function watchRun(run: string, options: ServerOptions): Promise<boolean> {
  const client = connect(options);
  return followRun(client, await runIdOf(client, run));
}

/** As `watchRun`, with a client that is there already. */
export async function followRun(client: PipelinesClient, runId: string): Promise<boolean> {
  const last = await (process.stdout.isTTY ? followInTerminal(client, runId) : followPlainly(client, runId));
  const run = last !== undefined && isFinished(last.run) ? last.run : await client.getRun(runId);
  return run.state === "SUCCEEDED";
}

async function followInTerminal(client: PipelinesClient, runId: string): Promise<RunChange | undefined> {
  const output = process.stdout;
  const color = output.hasColors();
  let change: RunChange | undefined;
  const draw = (final = false): void => {
    if (change === undefined) return;
    const size = final ? {} : { height: (output.rows || ROWS) - 1 };
    view.draw(
      renderRun(
        { run: change.run, tasks: change.tasks.values(), log: final ? undefined : tail.current },
        { width: output.columns || COLUMNS, now: Date.now(), color, ...size },
      ),
    );
  };
  using view = new LiveView(output);
  using tail = new LogTail(client, runId, { size: LOG_LINES, changed: () => draw() });
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  const redraw = (): void => draw();
  const timer = setInterval(redraw, 1000); // Durations grow by themselves.
  output.on("resize", redraw);
  process.once("SIGINT", stop);
  try {
    for await (change of client.follow(runId, { signal: stopping.signal })) {
      tail.follow([...change.tasks.values()].findLast(isWriting)?.task_id);
      draw();
    }
    draw(true);
  } finally {
    clearInterval(timer);
    output.off("resize", redraw);
    process.off("SIGINT", stop);
  }
  if (stopping.signal.aborted) output.write(`the run goes on; look again with: sluice run watch ${runId}\n`);
  return change;
}

function isWriting({ type, state }: RunTask): boolean {
  return type === "RUNTIME" && state === "RUNNING";
}

/** Prints a line whenever a step starts or ends. */
async function followPlainly(client: PipelinesClient, runId: string): Promise<RunChange | undefined> {
  const told = new Map<string, string>();
  let last: RunChange | undefined;
  for await (last of client.follow(runId)) {
    const { run, tasks } = last;
    const now = Date.now();
    for (const { task, name } of stepsOf(tasks.values())) {
      if (task.state === "PENDING" || told.get(task.task_id) === task.state) continue;
      told.set(task.task_id, task.state);
      process.stdout.write(`${renderStep(task, { name, elapsed: durationOf(run.created_at ?? "", undefined, now) })}\n`);
    }
  }
  if (last !== undefined) process.stdout.write(`${renderRun({ run: last.run, tasks: [] }, { width: Infinity, now: Date.now() }).join("\n")}\n`);
  return last;
}
