/**
 * The Kubeflow Pipelines REST API (v2beta1), as `kfp.Client` and other clients know it, and what our own CLI and page need
 * beside it. Served below `/apis/v2beta1` and `/pipeline/apis/v2beta1`. JSON is snake_case, zero and empty fields are left
 * out, times are RFC 3339 with seconds, int64s are strings. Lists take `page_size` (20, at most 200), `page_token`, `sort_by`
 * (`created_at desc`), `filter` (`{"predicates":[{"operation":"EQUALS","key":"display_name","string_value":"x"}]}`) and
 * answer `{<plural>, total_size, next_page_token}`. An error is `{error, message, code, details}`; `code` is gRPC's.
 * A request that names no namespace means `kubeflow`.
 *
 *   GET    /healthz                                    {multi_user, pipeline_store, tag_name}
 *   POST   /experiments        Experiment              GET /experiments  GET|DELETE /experiments/{id}
 *   POST   /experiments/{id}:archive|:unarchive        {}
 *   POST   /pipelines          Pipeline                GET /pipelines?namespace  GET /pipelines/names/{name}
 *   GET|PATCH|DELETE /pipelines/{id}                   DELETE takes ?cascade=true to delete the versions as well
 *   POST   /pipelines/create   {pipeline, pipeline_version}   → Pipeline
 *   POST   /pipelines/upload?name&display_name&description&namespace        multipart `uploadfile` → Pipeline
 *   POST   /pipelines/upload_version?name&display_name&pipelineid           multipart `uploadfile` → PipelineVersion
 *   POST|GET /pipelines/{id}/versions                  GET|PATCH|DELETE /pipelines/{id}/versions/{version}
 *   POST   /runs               Run {display_name, pipeline_spec | pipeline_version_reference, runtime_config, experiment_id}
 *   GET    /runs?namespace&experiment_id               GET /runs/{id}?view=FULL (adds tasks)   DELETE /runs/{id}
 *   POST   /runs/{id}:terminate|:retry|:archive|:unarchive    {}; :retry takes {pipeline_spec}, to go on as an edited pipeline
 *   POST   /recurringruns      RecurringRun            GET /recurringruns?namespace&experiment_id   {recurringRuns: […], …}
 *   GET|DELETE /recurringruns/{id}                     POST /recurringruns/{id}:enable|:disable    {}
 *   POST   /runs/{id}:clone    {display_name, parameters, experiment_id, …: what is to be otherwise}   → Run
 *   DELETE /runs/{id}?artifacts=delete|keep            DELETE /experiments/{id}?cascade=true (its runs as well, with ?artifacts)
 *   GET    /runs/{id}/tasks/{task}:why                 {task_id, state, summary, reasons: [{type, message, …}]} by id, path or name
 *   GET    /runs/{id}/tasks:why                        {tasks: [the same of each]}
 *   GET    /runs/{id}/tasks/{task}:debugPod?mode=DEBUGGER|SHELL     {run_id, task_id, name, pod, debugger, command_line, notes}
 *   POST   /cache:invalidate   {pipeline, namespace} | {run_id, task_id}    {invalidated: how many results}
 *   GET    /runs/{id}/tasks?page_size&page_token       {tasks: [Task], total_size, next_page_token}   GET /runs/{id}/tasks/{task}
 *   GET    /runs/{id}:watch    server-sent events, `event: run`, `data: {run, tasks: [Task]}`: first all of it, then the run
 *                              without its pipeline and the tasks that changed; `event: end` once the run is over, then the stream ends
 *   GET    /runs:watch?namespace    server-sent events, `event: run`, `data: {run_id, state}`: that run is new, changed its state, or is gone
 *   GET    /runs/{id}/nodes/{task or pod}/log?follow=true   text, also below /apis/v1alpha1
 *   GET    /runs/{id}/nodes/{task}/artifacts/{output}:read  {"data": base64}
 *   GET    /runs/{id}/nodes/{task}/artifacts/{output}       the bytes (?path=file within a directory artifact)
 *   GET    /artifacts?namespace                        {artifacts: [Artifact], …}    GET /artifacts/{id}
 *   GET    /artifacts/{id}:download?path               the bytes, with a content type by name; `Range` is understood
 *   GET    /artifacts/{id}:files                       {files: [{path, size}]} of a directory artifact
 *   GET    /artifacts/{id}:lineage?direction=UPSTREAM|DOWNSTREAM&depth   {artifact, direction, tasks, artifacts, links}
 *
 * Run is KFP's, with `tasks` when asked for; `run_details.task_details` is KFP's PipelineTaskDetail.
 * Task: {task_id, run_id, name, display_name, scope_path, type (ROOT|DAG|LOOP|CONDITION|CONDITION_BRANCH|EXIT_HANDLER|
 * IMPORTER|RUNTIME), state (PENDING|RUNNING|SUCCEEDED|CACHED|SKIPPED|FAILED|CANCELED), parent_task_id, create_time, start_time,
 * end_time, status_metadata {message, why {type, …}}, type_attributes {iteration_index, iteration_count}, pods [{name, type}],
 * inputs|outputs {parameters [{parameter_key, value}], artifacts [{artifact_key, artifacts [Artifact]}]}}.
 * Artifact: {artifact_id, name, type (e.g. `Dataset`), schema_title, uri, metadata, number_value, size, digest, created_at, namespace}.
 */
export { pipelineRoutes } from "./pipeline-routes.ts";
