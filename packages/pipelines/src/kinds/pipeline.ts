import { defineResource, type KubernetesObject, type Resource } from "@sluice/kubernetes";

/** The label with a pipeline's id, on its object and on those of its versions. */
export const PIPELINE_ID_LABEL = "pipelines.kubeflow.org/pipeline-id";

/** A pipeline as Kubernetes shows it. */
export interface PipelineObject extends KubernetesObject {
  spec?: { readonly displayName?: string; readonly description?: string; readonly tags?: Readonly<Record<string, string>> };
}

/** `pipelines.kubeflow.org/v2beta1` Pipeline. */
export const PIPELINES: Resource<PipelineObject> = defineResource({
  ...{ group: "pipelines.kubeflow.org", version: "v2beta1", kind: "Pipeline", plural: "pipelines", scope: "Namespaced" },
  columns: [
    { name: "Display name", type: "string", jsonPath: ".spec.displayName" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  schema: {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          displayName: { type: "string" },
          description: { type: "string" },
          tags: { type: "object", additionalProperties: { type: "string" } },
        },
      },
    },
  },
});
