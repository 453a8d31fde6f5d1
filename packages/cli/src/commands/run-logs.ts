import { UserError } from "@sluice/kubernetes";
import type { PipelinesClient, RunTask } from "@sluice/sdk";
import { connect, runIdOf, type ServerOptions } from "../server.ts";

/** Prints the log of one task, or of all, each line then after its task's name. */
export async function printLogs(run: string, task: string | undefined, { follow = false, ...server }: ServerOptions & { readonly follow?: boolean }): Promise<void> {
  const client = connect(server);
  const runId = await runIdOf(client, run);
  if (task !== undefined) {
    const { task_id: id } = select((await client.getRun(runId)).tasks ?? [], task);
    let last = "\n";
    for await (last of client.logs(runId, id, { follow })) process.stdout.write(last);
    if (!last.endsWith("\n")) process.stdout.write("\n");
  } else if (follow) {
    await followAll(client, runId);
  } else {
    const tasks = (await client.getRun(runId)).tasks ?? [];
    for (const each of tasks.filter(hasLog)) await print(client, runId, each, false);
  }
}

/** Prints every task's log from when it starts, until the run is over. */
async function followAll(client: PipelinesClient, runId: string): Promise<void> {
  const printing = new Map<string, Promise<void>>();
  for await (const { changed } of client.follow(runId)) {
    for (const task of changed.filter(hasLog)) {
      if (!printing.has(task.task_id)) printing.set(task.task_id, print(client, runId, task, true));
    }
  }
  await Promise.all(printing.values());
}

async function print(client: PipelinesClient, runId: string, task: RunTask, follow: boolean): Promise<void> {
  const prefix = `${nameOf(task)} | `;
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

function hasLog({ type, state }: RunTask): boolean {
  return type === "RUNTIME" && (state === "RUNNING" || state === "SUCCEEDED" || state === "FAILED" || state === "CANCELED");
}

function nameOf({ scope_path: path, name }: RunTask): string {
  return (path ?? name).replace(/^root\./u, "");
}

/** The task that somebody means by an id, a name or a path. */
function select(tasks: readonly RunTask[], wanted: string): RunTask {
  const exact = tasks.find((task) => task.task_id === wanted || nameOf(task) === wanted);
  const named = tasks.filter((task) => task.type === "RUNTIME" && (task.name === wanted || task.display_name === wanted));
  const found = exact ?? (named.length === 1 ? named[0] : undefined);
  if (found !== undefined) return found;
  const names = (named.length > 1 ? named : tasks.filter(({ type }) => type === "RUNTIME")).map(nameOf);
  throw new UserError(named.length > 1 ? `several tasks are called ${wanted}` : `the run has no task ${wanted}`, { fix: `name one of: ${names.join(", ") || "none yet"}` });
}
