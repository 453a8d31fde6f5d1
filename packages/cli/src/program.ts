import { Command, InvalidArgumentError, Option } from "commander";
import { installedVersion } from "./installation.ts";
import { addCacheCommands, addLifecycleCommands, collect, finish, host } from "./lifecycle-commands.ts";

/** The command line's grammar; commands load what they need when they run. */
export function createProgram(): Command {
  const program = new Command("sluice")
    .description("Kubeflow as one program, on a Kubernetes cluster of its own.")
    .version(installedVersion())
    .showHelpAfterError("(add --help for what is possible)")
    .addHelpText(
      "after",
      `
Examples:
  sluice up                                     start; Ctrl-C stops it
  sluice run submit pipeline.yaml --watch       run a compiled pipeline and watch it
  sluice run submit pipeline.py --watch         run a pipeline written in Python, or in TypeScript
  sluice run submit digits.ts -p epochs=3       with parameters
  export KUBECONFIG=$(sluice kubeconfig --path) use kubectl`,
    );
  addPlatformCommands(program);
  addImageCommands(program.command("image").description("load container images, and see which there are"));
  addRunCommands(program.command("run").description("submit pipeline runs and follow them"));
  addArtifactCommands(program.command("artifact").description("see where artifacts come from"));
  addCacheCommands(program.command("cache").description("say which results may be shared no more"));
  return program;
}

const dataDir = (): Option => new Option("--data-dir <directory>", "where everything is kept (SLUICE_DATA_DIR; default ~/.sluice)");

function addPlatformCommands(program: Command): void {
  program
    .command("up")
    .description("start Sluice and stay in the foreground; Ctrl-C stops it, pods go on and are found again")
    .addOption(dataDir())
    .option("--port <port>", "of the dashboard and the APIs (SLUICE_PORT; default 8080; 0 takes any)")
    .option("--api-port <port>", "of the Kubernetes API (SLUICE_API_PORT; default 6443; 0 takes any)")
    .option("--address <address>", "the loopback address to listen on (SLUICE_ADDRESS; default 127.0.0.1)")
    .option(
      "--sandbox <kind>",
      "auto (all that this machine has), or none: pods are plain processes, for code you trust (SLUICE_SANDBOX; default auto)",
    )
    .option("--components <names>", "which components, e.g. pipelines (SLUICE_COMPONENTS; default all)")
    .option("--log <where>", "file (sluice.log in the data directory) or stderr (SLUICE_LOG; default file)")
    .option("--log-level <level>", "info, warn or error (SLUICE_LOG_LEVEL; default info)")
    .option("--detach", "return once it is ready, and let it go on")
    .action(async ({ detach = false, ...flags }: Record<string, unknown>) => {
      if (detach === true) await (await import("./serve.ts")).detach("up", flags);
      else await (await import("./commands/up.ts")).up(flags);
    });
  program
    .command("cluster")
    .description("start the embedded Kubernetes alone and stay in the foreground")
    .addOption(dataDir())
    .option("--api-port <port>", "of the Kubernetes API (SLUICE_API_PORT; default 6443; 0 takes any)")
    .option("--address <address>", "the loopback address to listen on (SLUICE_ADDRESS; default 127.0.0.1)")
    .option(
      "--sandbox <kind>",
      "auto (all that this machine has), or none: pods are plain processes, for code you trust (SLUICE_SANDBOX; default auto)",
    )
    .option("--mode <mode>", "api-server (nothing but the API), control-plane (also controllers and scheduler), or all (also a node)", "all")
    .option("--log <where>", "file (sluice.log in the data directory) or stderr (SLUICE_LOG; default file)")
    .option("--log-level <level>", "info, warn or error (SLUICE_LOG_LEVEL; default info)")
    .option("--detach", "return once it is ready, and let it go on")
    .action(async ({ detach = false, mode, ...flags }: Record<string, unknown>) => {
      if (detach === true) await (await import("./serve.ts")).detach("cluster", flags, { mode: String(mode) });
      else await (await import("./commands/cluster.ts")).cluster(flags, String(mode));
    });
  program
    .command("down")
    .description("stop the Sluice that runs on a data directory")
    .addOption(dataDir())
    .action(async (flags: Record<string, unknown>) => (await import("./commands/down.ts")).down(flags));
  program
    .command("status")
    .description("say whether Sluice runs, how its node is and which runs are under way; exit code 3 if it does not run")
    .addOption(dataDir())
    .action(async (flags: Record<string, unknown>) => {
      process.exitCode = await (await import("./commands/status.ts")).status(flags);
    });
  program
    .command("kubeconfig")
    .description("print the kubeconfig for kubectl and other Kubernetes clients")
    .addOption(dataDir())
    .option("--path", "print where the file is instead")
    .action(async ({ path = false, ...flags }: Record<string, unknown>) =>
      (await import("./commands/kubeconfig.ts")).kubeconfig(flags, path === true),
    );
}

function addImageCommands(image: Command): void {
  image
    .command("load")
    .argument("<archive>", "an OCI image layout, as a directory or archive, or what `docker save` wrote")
    .description("make an image known to the cluster, without a registry; pods find it at once")
    .addOption(dataDir())
    .option("--name <name>", "what to call it, e.g. team/app:1 (default: what the archive calls it)")
    .action(async (archive: string, { name, ...flags }: Record<string, unknown> & { name?: string }) =>
      (await import("./commands/image-load.ts")).loadImage(archive, flags, name),
    );
  image
    .command("list")
    .description("list the images that were loaded or pulled")
    .addOption(dataDir())
    .action(async (flags: Record<string, unknown>) => (await import("./commands/image-list.ts")).listImages(flags));
  image
    .command("rm")
    .argument("<name...>", "names, as `image list` shows them")
    .description("remove images")
    .addOption(dataDir())
    .action(async (names: readonly string[], flags: Record<string, unknown>) => (await import("./commands/image-rm.ts")).removeImages(names, flags));
}

function addRunCommands(run: Command): void {
  const command = (name: string): Command => run.command(name).addOption(host());

  command("submit")
    .argument("<file>", "a compiled pipeline (YAML or JSON), a .py file that defines one, or a .ts or .js module that exports one")
    .description("start a run of a pipeline")
    .option("--pipeline <name>", "which pipeline, where the file has several: the name of its function or export")
    .option("--python <program>", "the Python that has kfp (default: of the active environment, of .venv, or python3)")
    .option("-p, --parameter <name=value>", "a parameter; may be repeated; lists and objects are JSON", collect)
    .option("--name <name>", "the run's name (default: the pipeline's)")
    .option("--experiment <name>", "the experiment it belongs to; created if there is none")
    .option("--pipeline-root <uri>", "where its artifacts go")
    .option("--no-cache", "run every step even if its result is known")
    .option("--watch", "watch it until it is over; exit code 1 if it fails")
    .action(async (file: string, options) => finish((await import("./commands/run-submit.ts")).submitRun(file, options)));
  command("list")
    .description("list runs, newest first")
    .option("--limit <count>", "how many", positive, 20)
    .option("--json", "print JSON")
    .action(async (options) => (await import("./commands/run-list.ts")).listRuns(options));
  command("get")
    .argument("<run>", "a run's id, or `latest`")
    .description("show a run and its steps")
    .option("--json", "print JSON")
    .action(async (run: string, options) => (await import("./commands/run-get.ts")).getRun(run, options));
  command("logs")
    .argument("<run>", "a run's id, or `latest`")
    .argument("[task]", "a step's name, as `run get` shows it, or its id; all steps unless given")
    .description("print what steps wrote")
    .option("-f, --follow", "go on until they end")
    .action(async (run: string, task: string | undefined, options) => (await import("./commands/run-logs.ts")).printLogs(run, task, options));
  command("watch")
    .argument("<run>", "a run's id, or `latest`")
    .description("watch a run until it is over; exit code 1 if it fails")
    .action(async (run: string, options) => finish((await import("./commands/run-watch.ts")).watchRun(run, options)));
  command("terminate")
    .argument("<run>", "a run's id, or `latest`")
    .description("stop a run")
    .action(async (run: string, options) => (await import("./commands/run-terminate.ts")).terminateRun(run, options));
  addLifecycleCommands(command);
}

function addArtifactCommands(artifact: Command): void {
  artifact
    .command("lineage")
    .addOption(host())
    .argument("<artifact>", "an artifact's id, or its URI")
    .description("show which steps and artifacts an artifact was made from, across runs")
    .option("--down", "show what was made from it instead")
    .option("--depth <count>", "how many steps away (default: 20)", positive)
    .action(async (artifactId: string, options) => (await import("./commands/artifact-lineage.ts")).showLineage(artifactId, options));
}

function positive(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("it must be a whole number of at least 1");
  return number;
}
