/** `npm run demo`: a Sluice for itself, one run of the digits pipeline, and what came out of it. */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, styleText } from "node:util";
import { followRun, parametersOf, reportError } from "@sluice/cli";
import { UserError } from "@sluice/kubernetes";
import { compile, createPipelinesClient, isFinished, type PipelinesClient, type Run, type RunTask } from "@sluice/sdk";
import { openSluice } from "./open-sluice.ts";
import { outcomeOf, type Outcome } from "./outcome.ts";
import digits from "./pipeline.ts";

const HOME = fileURLToPath(new URL("../../../.sluice/demo", import.meta.url));
const TAIL_LINES = 20;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const strong = (text: string): string => styleText("bold", text);
const pale = (text: string): string => styleText("dim", text);

/** Runs the demo; resolves to the exit code. */
async function demo(words: readonly string[]): Promise<number> {
  const { parameter, fresh } = readArguments(words);
  const pipeline = compile(digits);
  const parameters = parametersOf(pipeline, parameter);
  const dataDir = process.env["SLUICE_DATA_DIR"] ?? HOME;

  await using sluice = await openSluice(dataDir, print);
  const client = createPipelinesClient({ host: sluice.url });
  const start = performance.now();
  const submitted = await client.submit({ pipeline, parameters, experiment: "digits", ...(fresh ? { caching: false } : {}) });
  print("");
  await followRun(client, submitted.run_id);
  print("");
  const run = await client.getRun(submitted.run_id);
  if (!isFinished(run)) return 130;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const outcome = outcomeOf(run);
  if (run.state !== "SUCCEEDED") return await explainFailure(client, run, outcome); // Not after Sluice has stopped.

  const report = join(dataDir, "report.html");
  if (outcome.page !== undefined) await writeFile(report, new Uint8Array(await (await client.artifact(outcome.page)).arrayBuffer()));
  print(headline(outcome));
  print("");
  print(row("report", nearby(report)));
  const { steps, cached } = outcome;
  print(
    row(
      "ran",
      cached === 0 ? `${steps} steps in ${seconds} s; run it again, and all are cached` : `${cached} of ${steps} steps cached, in ${seconds} s`,
    ),
  );
  const place = `--data-dir ${nearby(dataDir)}`;
  if (sluice.isOwn) print(row("look around", `npx sluice up ${place}`));
  else print(row("dashboard", sluice.url));
  print(row("change it", "npm run demo -- -p threshold=0.99 -p epochs=3"));
  return 0;
}

function readArguments(words: readonly string[]): { readonly parameter: readonly string[]; readonly fresh: boolean } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { parameter: { type: "string", short: "p", multiple: true }, "no-cache": { type: "boolean" } },
    });
    return { parameter: values.parameter ?? [], fresh: values["no-cache"] ?? false };
  } catch (cause) {
    throw new UserError(cause instanceof Error ? cause.message : String(cause), { fix: "npm run demo -- [-p name=value]… [--no-cache]", cause });
  }
}

function headline({ testAccuracy, refusal, best = "the best" }: Outcome): string {
  if (testAccuracy !== undefined)
    return `${strong(`${(testAccuracy * 100).toFixed(1)} % of the test digits are read right`)} by ${best}, and it is published.`;
  return `${strong("No model is published")}: ${refusal ?? "nothing was tested"}.`;
}

function row(name: string, text: string): string {
  return `  ${pale(name.padEnd(11))} ${text}`;
}

/** A path as it is shortest from here. */
function nearby(path: string): string {
  const way = relative(process.cwd(), path);
  return way === "" || way.startsWith("..") ? path : way;
}

async function explainFailure(client: PipelinesClient, run: Run, { failed }: Outcome): Promise<number> {
  if (failed.length === 0) process.stderr.write(`error: ${run.error?.message ?? `the run ended ${run.state}`}\n`);
  for (const step of failed) {
    const lines = await logTail(client, run, step);
    process.stderr.write(
      `error: ${step.display_name ?? step.name} failed${lines.length === 0 ? `: ${step.status_metadata?.message ?? "it does not say why"}` : ""}\n`,
    );
    for (const line of lines) process.stderr.write(`  │ ${line}\n`);
  }
  return 1;
}

async function logTail(client: PipelinesClient, run: Run, step: RunTask): Promise<readonly string[]> {
  let text = "";
  try {
    for await (const chunk of client.logs(run.run_id, step.task_id)) text += chunk;
  } catch {
    // A step that never started has no log; its message then says why.
  }
  return text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .slice(-TAIL_LINES);
}

try {
  process.exitCode = await demo(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(error, process.stderr);
}
