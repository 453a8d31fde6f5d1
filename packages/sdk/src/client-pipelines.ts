import { filterOf, pageQuery, query, restOf, type Http, type Page, type Paged, type PageOptions } from "./client-http.ts";
import type { PipelineSource } from "./client-spec.ts";
import type { PipelineVersion, StoredPipeline } from "./client-types.ts";

/** A pipeline that the server is to keep. */
export interface UploadOptions {
  readonly pipeline: PipelineSource;
  /** The pipeline's own unless given. */
  readonly name?: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly namespace?: string;
}
/** A further version of a pipeline. */
export interface UploadVersionOptions {
  readonly pipelineId: string;
  readonly pipeline: PipelineSource;
  /** Must be new among the pipeline's versions. */
  readonly name: string;
  readonly displayName?: string;
  readonly description?: string;
  /** Where its source is to be seen. */
  readonly codeSourceUrl?: string;
}

/** The part of the client that is about pipelines that the server keeps. */
export interface StoredPipelinesClient {
  /** Keeps a pipeline, with this as its first version. */
  uploadPipeline(options: UploadOptions): Promise<StoredPipeline>;
  uploadPipelineVersion(options: UploadVersionOptions): Promise<PipelineVersion>;
  getPipeline(pipelineId: string): Promise<StoredPipeline>;
  /** The one of a name, if there is one. */
  findPipeline(name: string, options?: { readonly namespace?: string }): Promise<StoredPipeline | undefined>;
  /** Newest first. */
  listPipelines(options?: PageOptions & { readonly namespace?: string }): Promise<Paged<"pipelines", StoredPipeline>>;
  /** Deletes a pipeline; one that has versions, only with them. */
  deletePipeline(pipelineId: string, options?: { readonly versions?: boolean }): Promise<void>;
  getPipelineVersion(pipelineId: string, versionId: string): Promise<PipelineVersion>;
  /** Newest first. */
  listPipelineVersions(pipelineId: string, options?: PageOptions): Promise<Paged<"versions", PipelineVersion>>;
  deletePipelineVersion(pipelineId: string, versionId: string): Promise<void>;
}

/** Pipelines that one server keeps. */
export function storedPipelinesClient({ request, get, remove }: Http): StoredPipelinesClient {
  const pathOf = (id: string): string => `/pipelines/${encodeURIComponent(id)}`;
  const versionPath = (id: string, version: string): string => `${pathOf(id)}/versions/${encodeURIComponent(version)}`;
  const list = async (options: PageOptions & { readonly namespace?: string }, filter?: string): Promise<Paged<"pipelines", StoredPipeline>> => {
    const path = `/pipelines${pageQuery(options, { namespace: options.namespace, sort_by: "created_at desc", filter })}`;
    const answer = await get<Page & { pipelines?: readonly StoredPipeline[] }>(path);
    return { pipelines: answer.pipelines ?? [], ...restOf(answer) };
  };
  const upload = async <T>(path: string, pipeline: PipelineSource, named: (own: string) => Parameters<typeof query>[0]): Promise<T> => {
    // The compiler is for those who submit: a page that only looks never loads it.
    const { pipelineFileOf, pipelineNameOf, pipelineSpecOf } = await import("./client-spec.ts");
    const spec = pipelineSpecOf(pipeline);
    const body = new FormData();
    body.append("uploadfile", new Blob([pipelineFileOf(spec)], { type: "application/yaml" }), "pipeline.yaml");
    return (await (await request(`${path}${query(named(pipelineNameOf(spec)))}`, { method: "POST", body })).json()) as T;
  };
  return {
    uploadPipeline: ({ pipeline, name, displayName, description, namespace }) =>
      upload("/pipelines/upload", pipeline, (own) => ({ name: name ?? own, display_name: displayName, description, namespace })),
    uploadPipelineVersion: ({ pipelineId, pipeline, name, displayName, description, codeSourceUrl }) =>
      upload("/pipelines/upload_version", pipeline, () => ({
        ...{ pipelineid: pipelineId, name, display_name: displayName, description },
        code_source_url: codeSourceUrl,
      })),
    getPipeline: (pipelineId) => get<StoredPipeline>(pathOf(pipelineId)),
    findPipeline: async (name, options = {}) =>
      (await list(options, filterOf([{ operation: "EQUALS", key: "name", string_value: name }]))).pipelines[0],
    listPipelines: (options = {}) => list(options),
    deletePipeline: (pipelineId, { versions = false } = {}) => remove(`${pathOf(pipelineId)}${query({ cascade: versions ? "true" : undefined })}`),
    getPipelineVersion: (pipelineId, versionId) => get<PipelineVersion>(versionPath(pipelineId, versionId)),
    async listPipelineVersions(pipelineId, page = {}) {
      const path = `${pathOf(pipelineId)}/versions${pageQuery(page, { sort_by: "created_at desc" })}`;
      const answer = await get<Page & { pipeline_versions?: readonly PipelineVersion[] }>(path);
      return { versions: answer.pipeline_versions ?? [], ...restOf(answer) };
    },
    deletePipelineVersion: (pipelineId, versionId) => remove(versionPath(pipelineId, versionId)),
  };
}
