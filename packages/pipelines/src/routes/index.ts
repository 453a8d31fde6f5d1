/**
 * The Kubeflow Pipelines REST API (v2beta1), as `kfp.Client` and other clients know it, and what our own CLI and page need
 * beside it. Served below `/apis/v2beta1` and `/pipeline/apis/v2beta1`; logs also below `/apis/v1alpha1`, metrics at `/metrics`.
 *
 * Each file adds operations to the one table (`api.ts`): an `Operation` says what a route takes and gives, in messages
 * (`messages.ts`) whose fields have types (`schema.ts`). Requests are read by them (`read-field.ts`, `message.ts`), and the OpenAPI
 * document at `/openapi.json` is written from them (`openapi.ts`), so that there is no other list of routes or fields to keep.
 *
 * JSON is protobuf's: names in snake_case (requests may use lowerCamelCase), zero and empty fields left out, times in RFC 3339 with
 * seconds, int64s as strings, enums by name (requests may give numbers), unknown fields refused. Lists take `page_size` (20, at most
 * 200), `page_token`, `sort_by` and `filter` (`list-options.ts`). An error is a `google.rpc.Status`; routes that are plain HTTP upstream
 * answer `{error_message, error_details}`. A request that names no namespace means `kubeflow`.
 *
 * A run's tasks are read page by page; `view=FULL` streams all of them. Those of the engine are its own; clients may record tasks and
 * artifacts beside them. `{run}:watch` and `/runs:watch` are server-sent events.
 */
export { pipelineRoutes } from "./pipeline-routes.ts";
