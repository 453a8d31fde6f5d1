import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { TaskReport } from "../engine/index.ts";
import { AGENT_TASK_ENV, type AgentTask } from "./agent-task.ts";
import { artifactAgent } from "./artifact-agent.ts";

/** What an agent's pod is made of. */
export interface AgentPodOptions {
  /** Where its volumes lie. */
  readonly directory: string;
  readonly stores: Pick<ArtifactStores, "of">;
  readonly namespace?: string;
  readonly report?: (report: TaskReport, namespace: string) => Promise<void>;
}

/** A pod in which an agent runs. */
export class AgentPod {
  readonly #options: AgentPodOptions;
  readonly reports: TaskReport[] = [];
  readonly lines: string[] = [];

  constructor(options: AgentPodOptions) {
    this.#options = options;
  }

  /** Where a path of its containers is. */
  path(path: string): string {
    return join(this.#options.directory, path);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  async agent(verb: "fetch" | "publish", task: AgentTask | string): Promise<number> {
    const { stores, namespace = "n", report } = this.#options;
    const stop = new AbortController();
    const program = artifactAgent({ stores, report: report ?? (async (each) => void this.reports.push(each)) });
    const running = program.run({
      args: [verb],
      env: { [AGENT_TASK_ENV]: typeof task === "string" ? task : JSON.stringify(task) },
      pod: { namespace, name: "p" },
      hostPath: (path) => {
        if (path.startsWith("/home")) throw new Error(`${path} lies in no volume of the container`);
        return this.path(path);
      },
      signal: stop.signal,
      log: (line) => void this.lines.push(line),
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    if (verb === "publish") stop.abort();
    return running;
  }
}
