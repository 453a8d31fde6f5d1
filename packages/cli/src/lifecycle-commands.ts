import { type Command, InvalidArgumentError, Option } from "commander";

const DEFAULT_HOST = "http://127.0.0.1:8080";
const RUN = ["<run>", "a run's id, or `latest`"] as const;

/** Where the server is. */
export function host(): Option {
  return new Option("--host <url>", "the server").env("SLUICE_HOST").default(DEFAULT_HOST);
}

/** The values of an option that may be repeated. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

/** What can be done with a run after it was started: `command` makes the command of a name below `run`. */
export function addLifecycleCommands(command: (name: string) => Command): void {
  command("why")
    .argument(...RUN)
    .argument("[task]", "a step's name, path or id; all steps unless given")
    .description("say why steps ran, were cached, were skipped, failed or wait")
    .option("--json", "print JSON")
    .action(async (run: string, task: string | undefined, options) => (await import("./commands/run-why.ts")).explainRun(run, task, options));
  command("debug")
    .argument(...RUN)
    .argument("<task>", "a step's name, path or id")
    .description("run a step once more, with the same inputs, in a pod that waits for a debugger; its exit code is the step's")
    .option("--shell", "open a shell in the step's place instead")
    .option("--port <port>", "the port of this machine that leads to the debugger (default: 5678 for Python, 9229 for Node; 0 takes any)", portNumber)
    .addOption(new Option("--data-dir <directory>", "the data directory of the Sluice (SLUICE_DATA_DIR; default ~/.sluice)"))
    .option("--kubeconfig <file>", "how to reach the cluster (default: the one that Sluice has written, or kubectl's)")
    .action(async (run: string, task: string, options) => {
      process.exitCode = await (await import("./commands/run-debug.ts")).debugRun(run, task, options);
    });
  command("retry")
    .argument(...RUN)
    .description("start again what failed in a run, keeping what succeeded")
    .option("--with <file>", "go on as this pipeline, which was edited: what it changes runs again, too")
    .option("--pipeline <name>", "which pipeline, where the file has several: the name of its function or export")
    .option("--python <program>", "the Python that has kfp (default: of the active environment, of .venv, or python3)")
    .option("--watch", "watch it until it is over; exit code 1 if it fails")
    .action(async (run: string, options) => finish((await import("./commands/run-retry.ts")).retryRun(run, options)));
  command("clone")
    .argument(...RUN)
    .description("start a run like another")
    .option("-p, --parameter <name=value>", "a parameter that is to be otherwise; may be repeated; lists and objects are JSON", collect)
    .option("--name <name>", "the new run's name (default: Clone of …)")
    .option("--experiment <name>", "the experiment it belongs to; created if there is none (default: the same)")
    .option("--watch", "watch it until it is over; exit code 1 if it fails")
    .action(async (run: string, options) => finish((await import("./commands/run-clone.ts")).cloneRun(run, options)));
  command("delete")
    .argument("<run...>", "runs' ids")
    .description("delete runs with their pods, records and artifacts; what other runs use stays")
    .option("--keep-artifacts", "leave the artifacts where they are, and their results in the cache")
    .option("--delete-artifacts", "delete the artifacts even if the installation keeps them")
    .action(async (runs: readonly string[], options) => (await import("./commands/run-delete.ts")).deleteRuns(runs, options));
  command("archive")
    .argument("<run...>", "runs' ids")
    .description("take runs off the list of runs")
    .action(async (runs: readonly string[], options) => (await import("./commands/run-archive.ts")).shelveRuns(runs, "archive", options));
  command("unarchive")
    .argument("<run...>", "runs' ids")
    .description("put archived runs back")
    .action(async (runs: readonly string[], options) => (await import("./commands/run-archive.ts")).shelveRuns(runs, "unarchive", options));
}

/** What can be done with the results that runs share. */
export function addCacheCommands(cache: Command): void {
  cache
    .command("invalidate")
    .addOption(host())
    .argument("[run]", "a run's id, or `latest`: what its steps made or shared")
    .argument("[task]", "a step's name, path or id: only what that one made or shared")
    .description("let later runs make results anew instead of sharing those that are known")
    .option("--pipeline <name>", "instead of a run: all results of the pipeline of that name")
    .option("--namespace <name>", "the pipeline's namespace")
    .action(async (run: string | undefined, task: string | undefined, options) =>
      (await import("./commands/cache-invalidate.ts")).invalidateCache(run, task, options),
    );
}

function portNumber(value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError("it must be a port's number");
  return port;
}

/** Commands that tell success by exit code. */
export async function finish(succeeded: Promise<boolean>): Promise<void> {
  if (!(await succeeded)) process.exitCode = 1;
}
