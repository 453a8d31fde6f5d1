import { renderWhy } from "../render-why.ts";
import { connect, runIdOf, type ServerOptions } from "../server.ts";

/** Columns of what is written elsewhere than to a terminal. */
const COLUMNS = 100;

/** Says why the steps of a run, or one of them, stand as they do. */
export async function explainRun(
  id: string,
  task: string | undefined,
  { json, ...server }: ServerOptions & { readonly json?: boolean },
): Promise<void> {
  const client = connect(server);
  const run = await runIdOf(client, id);
  const answers = task === undefined ? await client.whyAll(run) : [await client.why(run, task)];
  if (json === true) {
    process.stdout.write(`${JSON.stringify(task === undefined ? answers : answers[0], undefined, 2)}\n`);
    return;
  }
  const { isTTY, columns } = process.stdout;
  const options = { width: isTTY && columns > 0 ? columns : COLUMNS, color: isTTY && process.stdout.hasColors() };
  const lines = renderWhy(task === undefined ? stepsIn(answers) : answers, options);
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Those that run something, or else stand for what did not: what only contains others says nothing that they do not. */
function stepsIn<T extends { readonly type?: string; readonly state: string }>(answers: readonly T[]): readonly T[] {
  return answers.filter(({ type, state }) => type === "RUNTIME" || type === "IMPORTER" || (type !== "ROOT" && state === "SKIPPED"));
}
