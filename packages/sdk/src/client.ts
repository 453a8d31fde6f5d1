import { experimentsClient, type ExperimentsClient } from "./client-experiments.ts";
import { createHttp, pageQuery, query, restOf, type Page, type Paged, type PageOptions, type PipelinesClientOptions } from "./client-http.ts";
import { storedPipelinesClient, type StoredPipelinesClient } from "./client-pipelines.ts";
import { recurringRunsClient, type RecurringRunsClient } from "./client-recurring-runs.ts";
import { runsClient, type RunsClient } from "./client-runs.ts";
import type { ArtifactFile, ArtifactLineage, RunArtifact } from "./client-types.ts";

export type * from "./client-experiments.ts";
export type { Paged, PageOptions, PipelinesClientOptions } from "./client-http.ts";
export type * from "./client-pipelines.ts";
export type * from "./client-recurring-runs.ts";
export type * from "./client-runs.ts";
export { waitForRun } from "./client-runs.ts";
export * from "./client-types.ts";

/** The pipelines' REST API. What the server refuses is an `ApiError` with its message; not reaching it, a `UserError`. */
export interface PipelinesClient extends RunsClient, RecurringRunsClient, ExperimentsClient, StoredPipelinesClient {
  /** Whether the server answers, and which release of Kubeflow Pipelines it speaks like. */
  health(): Promise<{ readonly tag_name?: string; readonly multi_user?: boolean }>;
  /** Those at an address, if one is given. */
  listArtifacts(options?: PageOptions & { readonly uri?: string }): Promise<Paged<"artifacts", RunArtifact>>;
  /** What an artifact was made from, or what was made from it, over as many tasks as `depth` says. */
  lineage(artifactId: string, options: { readonly direction: "UPSTREAM" | "DOWNSTREAM"; readonly depth?: number }): Promise<ArtifactLineage>;
  /** The bytes of an artifact, or of one file in it. */
  artifact(artifactId: string, options?: { readonly path?: string }): Promise<Response>;
  /** The files of an artifact that is a directory. */
  artifactFiles(artifactId: string): Promise<readonly ArtifactFile[]>;
}

/** A client of the pipelines' REST API, for Node and browsers. */
export function createPipelinesClient(options: PipelinesClientOptions): PipelinesClient {
  const http = createHttp(options);
  const { request, get } = http;
  const experiments = experimentsClient(http);
  return {
    ...runsClient(http, experiments),
    ...recurringRunsClient(http, experiments),
    ...experiments,
    ...storedPipelinesClient(http),
    health: () => get("/healthz"),
    async listArtifacts({ uri, ...page } = {}) {
      const filter = uri === undefined ? undefined : JSON.stringify({ predicates: [{ operation: "EQUALS", key: "uri", string_value: uri }] });
      const answer = await get<Page & { artifacts?: readonly RunArtifact[] }>(`/artifacts${pageQuery(page, { filter })}`);
      return { artifacts: answer.artifacts ?? [], ...restOf(answer) };
    },
    lineage: (artifactId, options) => get<ArtifactLineage>(`/artifacts/${encodeURIComponent(artifactId)}:lineage${query(options)}`),
    artifact: (artifactId, { path } = {}) => request(`/artifacts/${encodeURIComponent(artifactId)}:download${query({ path })}`),
    async artifactFiles(artifactId) {
      return (await get<{ files?: readonly ArtifactFile[] }>(`/artifacts/${encodeURIComponent(artifactId)}:files`)).files ?? [];
    },
  };
}
