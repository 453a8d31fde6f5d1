import { defineResource, type KubernetesObject, type Resource, type Schema } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";

/** The label with a version's id, where it is not the object's uid. */
export const VERSION_ID_LABEL = "pipelines.kubeflow.org/pipeline-version-id";
/** The label with the name of a version's pipeline. */
export const PIPELINE_LABEL = "pipelines.kubeflow.org/pipeline";

/** Upstream's condition, without a time. */
export interface SimpleCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** A version of a pipeline as Kubernetes shows it. */
export interface PipelineVersionObject extends KubernetesObject {
  spec: {
    readonly pipelineName?: string;
    readonly versionName?: string;
    readonly displayName?: string;
    readonly description?: string;
    readonly codeSourceURL?: string;
    readonly pipelineSpec: JsonObject;
    readonly platformSpec?: JsonObject;
    /** Where the pipeline is instead, if it is too large for an object. */
    readonly pipelineSpecURI?: string;
    readonly tags?: Readonly<Record<string, string>>;
  };
  status?: { readonly conditions?: readonly SimpleCondition[] };
}

const TEXT: Schema = { type: "string" };
const IR: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

const fixed = (field: string): { rule: string; message: string } => ({
  rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
  message: `${field} is immutable: make another version instead`,
});

/** `pipelines.kubeflow.org/v2beta1` PipelineVersion. */
export const PIPELINE_VERSIONS: Resource<PipelineVersionObject> = defineResource({
  ...{ group: "pipelines.kubeflow.org", version: "v2beta1", kind: "PipelineVersion", plural: "pipelineversions", scope: "Namespaced" },
  subresources: { status: true },
  columns: [
    { name: "Pipeline", type: "string", jsonPath: ".spec.pipelineName" },
    { name: "Status", type: "string", jsonPath: '.status.conditions[?(@.type=="PipelineVersionStatus")].reason' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  schema: {
    type: "object",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        required: ["pipelineSpec"],
        properties: {
          ...{ pipelineName: TEXT, displayName: TEXT, description: TEXT, codeSourceURL: TEXT, pipelineSpecURI: TEXT },
          ...{ pipelineSpec: IR, platformSpec: IR },
          versionName: { type: "string", maxLength: 253, pattern: "^[a-z0-9]([a-z0-9\\.\\-]*[a-z0-9])?$" },
          tags: { type: "object", additionalProperties: TEXT },
        },
        "x-kubernetes-validations": ["pipelineName", "versionName", "codeSourceURL", "pipelineSpecURI", "pipelineSpec", "platformSpec"].map(fixed),
      },
      status: {
        type: "object",
        properties: {
          conditions: {
            type: "array",
            items: {
              type: "object",
              required: ["type", "status", "reason", "message"],
              properties: {
                type: { type: "string", maxLength: 316 },
                status: { type: "string", enum: ["True", "False", "Unknown"] },
                reason: TEXT,
                message: { type: "string", maxLength: 32_768 },
              },
            },
          },
        },
      },
    },
  },
});
