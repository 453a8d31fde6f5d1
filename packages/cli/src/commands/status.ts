import { createPipelinesClient, isFinished } from "@sluice/sdk";
import { findRunning, readConfig, type Flags } from "@sluice/platform";
import { table } from "../text.ts";

interface NodeList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: {
      readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }[];
    };
  }[];
}

/** Prints how the platform on a data directory is; resolves to the exit code. */
export async function status(flags: Flags): Promise<number> {
  const { dataDir } = await readConfig(flags, process.env);
  const running = await findRunning(dataDir);
  if (running === undefined) {
    process.stdout.write(`Sluice does not run on ${dataDir}; start it with: sluice up\n`);
    return 3;
  }
  const { pid, version, url, apiUrl } = running;
  if (url === undefined) {
    process.stdout.write(
      apiUrl === undefined
        ? `Sluice ${version} is starting (process ${pid})\n`
        : `Sluice's cluster ${version} runs alone (process ${pid})\n  Kubernetes  ${apiUrl}\n  data        ${dataDir}\n`,
    );
    return 0;
  }
  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T;
  const [{ components = [] }, nodes, runs] = await Promise.all([
    get<{ components?: string[] }>("/healthz"),
    get<NodeList>("/k8s/api/v1/nodes"),
    createPipelinesClient({ host: url })
      .listRuns({ pageSize: 100 })
      .catch(() => undefined), // Pipelines may be switched off.
  ]);
  const conditions = (nodes.items ?? []).flatMap(({ metadata, status: node }) =>
    (node?.conditions ?? []).map(({ type, status: value, message, reason }) => [metadata.name, type, value, message ?? reason ?? ""]),
  );
  const inFlight = runs?.runs.filter((run) => !isFinished(run)) ?? [];
  const lines = [
    `Sluice ${version} runs (process ${pid})`,
    `  dashboard   ${url}`,
    `  Kubernetes  ${apiUrl ?? ""}`,
    `  components  ${components.join(", ")}`,
    `  data        ${dataDir}`,
    "",
    table([["NODE", "CONDITION", "STATUS", "MESSAGE"], ...conditions]),
    "",
    inFlight.length === 0
      ? "no runs under way"
      : table([["RUN", "NAME", "STATE"], ...inFlight.map((run) => [run.run_id, run.display_name, run.state ?? "PENDING"])]),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}
