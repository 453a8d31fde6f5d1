import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pipelineSpecOf, type JsonValue } from "@sluice/sdk";

/** An artifact as one step gives it and another takes it. */
export interface StepArtifact {
  readonly name: string;
  readonly uri: string;
  readonly metadata: Readonly<Record<string, JsonValue>>;
}

/** What a step is given. */
export interface StepInputs {
  readonly parameters?: Readonly<Record<string, JsonValue>>;
  readonly artifacts?: Readonly<Record<string, StepArtifact | readonly StepArtifact[]>>;
}

interface Ports {
  readonly parameters?: Readonly<Record<string, object>>;
  readonly artifacts?: Readonly<Record<string, object>>;
}
interface Spec {
  readonly components: Readonly<Record<string, { readonly outputDefinitions?: Ports }>>;
  readonly deploymentSpec: { readonly executors: Readonly<Record<string, { readonly container: { readonly command: readonly string[] } }>> };
}

/** Runs single steps of the compiled pipeline with Node, as their containers would, in a directory of their own. */
export class Steps implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), "sluice-digits-"));
  readonly #spec: Spec;
  #count = 0;

  constructor() {
    // Compiled by Node itself: a test runner rewrites the functions' sources.
    const ir = execFileSync(process.execPath, [fileURLToPath(new URL("./print-ir.ts", import.meta.url))], { encoding: "utf8" });
    this.#spec = pipelineSpecOf(ir) as unknown as Spec;
  }

  /** Runs a step; throws what it wrote to standard error if it fails. */
  run(
    step: string,
    { parameters = {}, artifacts = {} }: StepInputs,
  ): { readonly parameters: Readonly<Record<string, JsonValue>>; readonly artifacts: Readonly<Record<string, StepArtifact>> } {
    const home = `minio://test/${++this.#count}-${step}`;
    const outputs = this.#spec.components[`comp-${step}`]?.outputDefinitions ?? {};
    const outputFile = join(this.root, `${this.#count}.json`);
    const input = {
      inputs: {
        parameterValues: parameters,
        artifacts: Object.fromEntries(Object.entries(artifacts).map(([name, value]) => [name, { artifacts: [value].flat() }])),
      },
      outputs: {
        parameters: Object.fromEntries(Object.keys(outputs.parameters ?? {}).map((name) => [name, { outputFile: join(this.root, name) }])),
        artifacts: Object.fromEntries(Object.keys(outputs.artifacts ?? {}).map((name) => [name, { artifacts: [{ name, uri: `${home}/${name}` }] }])),
        outputFile,
      },
    };
    const [, ...words] = this.#spec.deploymentSpec.executors[`exec-${step}`]?.container.command ?? [];
    const { status, stderr } = spawnSync(process.execPath, [...words, JSON.stringify(input)], {
      env: { SLUICE_ARTIFACT_ROOT: this.root },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
    const answer = JSON.parse(readFileSync(outputFile, "utf8")) as {
      parameterValues: Record<string, JsonValue>;
      artifacts: Record<string, { artifacts: [StepArtifact] }>;
    };
    return {
      parameters: answer.parameterValues,
      artifacts: Object.fromEntries(
        Object.entries(answer.artifacts).map(
          ([
            name,
            {
              artifacts: [only],
            },
          ]) => [name, only],
        ),
      ),
    };
  }

  /** Where an artifact's content is. */
  pathOf({ uri }: StepArtifact): string {
    return join(this.root, uri.replace("://", "/"));
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}
