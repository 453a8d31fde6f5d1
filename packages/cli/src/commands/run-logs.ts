import { UserError } from "@sluice/kubernetes";
import type { PipelinesClient } from "@sluice/sdk";
import { connect, runIdOf, type ServerOptions } from "../server.ts";
import { stepsOf, type Step } from "../task-tree.ts";

/** Prints the log of one step, or of all, each line then after its step's name. */
export async function printLogs(
  run: string,
  wanted: string | undefined,
  { follow = false, ...server }: ServerOptions & { readonly follow?: boolean },
): Promise<void> {
  const client = connect(server);
  const runId = await runIdOf(client, run);
  if (wanted === undefined && follow) return followAll(client, runId);
  const steps = stepsOf((await client.getRun(runId)).tasks ?? []);
  if (wanted === undefined) {
    const written = steps.filter(hasLog);
    if (written.length === 0) process.stderr.write("no step of this run has a log: steps that are cached ran in an earlier run\n");
    for (const step of written) await print(client, runId, step, false);
    return;
  }
  let last = "\n";
  for await (last of client.logs(runId, select(steps, wanted), { follow })) process.stdout.write(last);
  if (!last.endsWith("\n")) process.stdout.write("\n");
}

/** Prints every step's log from when it starts, until the run is over. */
async function followAll(client: PipelinesClient, runId: string): Promise<void> {
  const printing = new Map<string, Promise<void>>();
  for await (const { tasks } of client.follow(runId)) {
    for (const step of stepsOf(tasks.values()).filter(hasLog)) {
      if (!printing.has(step.task.task_id)) printing.set(step.task.task_id, print(client, runId, step, true));
    }
  }
  await Promise.all(printing.values());
}

async function print(client: PipelinesClient, runId: string, { task, name }: Step, follow: boolean): Promise<void> {
  const prefix = `${name} | `;
  let rest = "";
  try {
    for await (const text of client.logs(runId, task.task_id, { follow })) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) process.stdout.write(`${prefix}${line}\n`);
    }
    if (rest !== "") process.stdout.write(`${prefix}${rest}\n`);
  } catch (error) {
    process.stderr.write(`${prefix}no log: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function hasLog({ task: { type, state } }: Step): boolean {
  return type === "RUNTIME" && (state === "RUNNING" || state === "SUCCEEDED" || state === "FAILED" || state === "CANCELED");
}

/** The id of the step that somebody means by an id or a name. */
function select(steps: readonly Step[], wanted: string): string {
  const exact = steps.find(({ task, name }) => task.task_id === wanted || name === wanted);
  const named = steps.filter(({ task }) => task.name === wanted || task.display_name === wanted);
  const found = exact ?? (named.length === 1 ? named[0] : undefined);
  if (found !== undefined) return found.task.task_id;
  const names = (named.length > 1 ? named : steps).map(({ name }) => JSON.stringify(name));
  throw new UserError(named.length > 1 ? `several steps are called ${wanted}` : `the run has no step ${wanted}`, {
    fix: `name one of: ${names.join(", ") || "none yet"}`,
  });
}
