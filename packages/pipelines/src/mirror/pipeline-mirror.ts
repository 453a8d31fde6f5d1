import { apiVersionOf } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import { PIPELINE_ID_LABEL, PIPELINES, type PipelineObject } from "../kinds/pipeline.ts";
import type { Store } from "../store/store.ts";
import type { PipelineRow } from "../store/tables.ts";
import type { MirrorKind } from "./mirror-kind.ts";
import { objectNames } from "./object-names.ts";

/** Pipelines and their objects. The id of a pipeline that was an object first is the object's uid. */
export function pipelineMirror({ pipelines }: Store): MirrorKind<PipelineObject, PipelineRow> {
  const contentOf = (row: PipelineRow): JsonObject => ({
    ...{ displayName: row.display_name, description: row.description },
    tags: JSON.parse(row.tags) as JsonObject,
  });
  const contentIn = ({ metadata, spec: { displayName = "", description = "", tags = {} } = {} }: PipelineObject): JsonObject => ({
    ...{ displayName: displayName === "" ? metadata.name : displayName, description, tags },
  });
  const columnsOf = (object: PipelineObject): Pick<PipelineRow, "display_name" | "description" | "tags"> => {
    const { displayName, description, tags } = contentIn(object);
    return { display_name: String(displayName), description: String(description), tags: JSON.stringify(tags) };
  };
  return {
    ...{ kind: "Pipeline", resource: PIPELINES, idLabel: PIPELINE_ID_LABEL, contentOf, contentIn },
    find: (id) => pipelines.find(id),
    placeOf: (row) => Promise.resolve({ namespace: row.namespace, names: objectNames(row.name, row.id) }),
    manifest: (row, { name }) =>
      Promise.resolve({
        apiVersion: apiVersionOf(PIPELINES),
        kind: PIPELINES.kind,
        metadata: { name, namespace: row.namespace, labels: { [PIPELINE_ID_LABEL]: row.id } },
        spec: contentOf(row),
      }),
    withContent: (object, row) => ({ ...object, spec: { ...object.spec, ...contentOf(row) } }),
    async importObject(object, link) {
      const { name, namespace = "", creationTimestamp = "" } = object.metadata;
      const row = { id: link.row_id, namespace, name, ...columnsOf(object), created_at: Date.parse(creationTimestamp) };
      await pipelines.create(row, undefined, { link });
    },
    change: (row, object) => pipelines.update(row.id, columnsOf(object)),
    remove: (row) => pipelines.delete(row.id, { cascade: true }),
  };
}
