import { defineIndex } from "@sluice/controller";
import { ApiError, apiVersionOf, type OwnerReference } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import { parsePipelineObject } from "../domain/ir-parse.ts";
import { PIPELINE_ID_LABEL, PIPELINES } from "../kinds/pipeline.ts";
import { PIPELINE_LABEL, PIPELINE_VERSIONS, VERSION_ID_LABEL, type PipelineVersionObject, type SimpleCondition } from "../kinds/pipeline-version.ts";
import type { Store } from "../store/store.ts";
import type { ObjectLinkRow, VersionRow } from "../store/tables.ts";
import type { VersionHead } from "../store/version-store.ts";
import type { MirrorKind } from "./mirror-kind.ts";
import { labelValue, objectNames } from "./object-names.ts";

/** How large a pipeline may be in an object, which has room for 1.5 MiB in all. */
const LARGEST_SPEC = 1_000_000;
const CONDITION = "PipelineVersionStatus";

/** Versions of pipelines and their objects, which their pipelines' objects own. */
export function versionMirror({ objects, pipelines, versions, changes }: Store): MirrorKind<PipelineVersionObject, VersionHead> {
  const contentOf = (row: VersionHead): JsonObject => ({
    ...{ displayName: row.display_name, description: row.description },
    tags: JSON.parse(row.tags) as JsonObject,
  });
  const contentIn = ({ metadata, spec }: PipelineVersionObject): JsonObject => {
    const { displayName = "", description = "", versionName = metadata.name, tags = {} } = spec;
    return { displayName: displayName === "" ? versionName : displayName, description, tags };
  };
  const columnsOf = (object: PipelineVersionObject): Pick<VersionRow, "display_name" | "description" | "tags"> => {
    const { displayName, description, tags } = contentIn(object);
    return { display_name: String(displayName), description: String(description), tags: JSON.stringify(tags) };
  };
  return {
    ...{ kind: "PipelineVersion", resource: PIPELINE_VERSIONS, idLabel: VERSION_ID_LABEL, contentOf, contentIn },
    find: (id) => versions.head(id),
    async placeOf(row) {
      const pipeline = await pipelines.find(row.pipeline_id);
      if (pipeline === undefined) return undefined;
      const { namespace, name } = pipeline;
      return { namespace, names: objectNames(row.name === name ? name : `${name}-${row.name}`, row.id) };
    },
    async manifest(row, key) {
      const owner = await objects.ofRow("Pipeline", row.pipeline_id);
      const version = await versions.find(row.pipeline_id, row.id);
      if (owner === undefined || owner.uid === "" || version === undefined) return undefined;
      const isLarge = version.spec.length > LARGEST_SPEC;
      const { pipelineSpec, platformSpec } = parsePipelineObject(JSON.parse(version.spec));
      return {
        apiVersion: apiVersionOf(PIPELINE_VERSIONS),
        kind: PIPELINE_VERSIONS.kind,
        metadata: {
          ...{ name: key.name, namespace: owner.namespace, ownerReferences: [ownerReference(owner)] },
          labels: { [VERSION_ID_LABEL]: row.id, ...pipelineLabels(owner) },
        },
        spec: {
          ...{ pipelineName: owner.name, ...contentOf(row) },
          ...(isVersionName(version.name) ? { versionName: version.name } : {}),
          ...(version.code_source_url === "" ? {} : { codeSourceURL: version.code_source_url }),
          pipelineSpec: isLarge ? {} : plain(pipelineSpec),
          ...(isLarge || platformSpec === undefined ? {} : { platformSpec: plain(platformSpec) }),
          ...(isLarge ? { pipelineSpecURI: `/apis/v2beta1/pipelines/${row.pipeline_id}/versions/${row.id}` } : {}),
        },
      };
    },
    withContent: (object, row) => ({ ...object, spec: { ...object.spec, ...contentOf(row) } }),
    async importObject(object, link) {
      const { metadata, spec } = object;
      const { pipelineName = "", versionName = metadata.name, codeSourceURL = "", pipelineSpec, platformSpec } = spec;
      const owner = await objects.at("Pipeline", { namespace: metadata.namespace, name: pipelineName });
      if (owner === undefined) throw new ApiError("NotFound", `spec.pipelineName: there is no Pipeline ${JSON.stringify(pipelineName)}`);
      const parsed = parsePipelineObject({ pipeline_spec: pipelineSpec, platform_spec: platformSpec ?? null });
      const row: VersionRow = {
        ...{ id: link.row_id, pipeline_id: owner.row_id, name: versionName, ...columnsOf(object), code_source_url: codeSourceURL, package_url: "" },
        spec: JSON.stringify(
          parsed.platformSpec === undefined ? parsed.pipelineSpec : { pipeline_spec: parsed.pipelineSpec, platform_spec: parsed.platformSpec },
        ),
        created_at: Date.parse(metadata.creationTimestamp ?? ""),
      };
      await versions.create(row, link);
    },
    change: (row, object) => versions.update(row.id, columnsOf(object)),
    remove: (row) => versions.delete(row.id),
    async show(object, { row, problem, client }) {
      const owner = row === undefined ? undefined : await objects.ofRow("Pipeline", row.pipeline_id);
      const { metadata, status } = object;
      if (owner !== undefined && owner.uid !== "") {
        const labels = { ...metadata.labels, ...pipelineLabels(owner) };
        const others = (metadata.ownerReferences ?? []).filter(
          ({ kind, apiVersion }) => kind !== PIPELINES.kind || apiVersion !== apiVersionOf(PIPELINES),
        );
        const isOwned = metadata.ownerReferences?.some(({ uid }) => uid === owner.uid) ?? false;
        const isLabelled = Object.entries(pipelineLabels(owner)).every(([label, value]) => metadata.labels?.[label] === value);
        if (!isOwned || !isLabelled) {
          await client.update(PIPELINE_VERSIONS, {
            ...object,
            metadata: { ...metadata, labels, ownerReferences: [...others, ownerReference(owner)] },
          });
          return;
        }
      }
      const condition: SimpleCondition =
        problem === undefined
          ? { type: CONDITION, status: "True", reason: "READY", message: "READY" }
          : { type: CONDITION, status: "False", reason: "INVALID", message: problem.slice(0, 32_768) };
      const [known] = status?.conditions ?? [];
      if (known?.status === condition.status && known.message === condition.message) return;
      const patch = { type: "merge", body: { status: { conditions: [condition] } }, subresource: "status" } as const;
      await client.patch(PIPELINE_VERSIONS, metadata, patch);
    },
    indexes: [defineIndex(PIPELINE_VERSIONS, "pipeline", ({ metadata, spec }) => [`${metadata.namespace ?? ""}/${spec.pipelineName ?? ""}`])],
    follow({ cache, enqueue, logger }, look) {
      return changes.subscribe(({ kind, id }) => {
        if (kind !== "Pipeline") return;
        const followPipeline = async (): Promise<void> => {
          for (const version of await versions.idsOf(id)) look(version);
          const link = await objects.ofRow("Pipeline", id);
          if (link === undefined) return;
          for (const { metadata } of cache.byIndex(PIPELINE_VERSIONS, "pipeline", `${link.namespace}/${link.name}`)) enqueue(metadata);
        };
        followPipeline().catch((error: unknown) => logger.error("cannot follow a pipeline's versions", { pipeline: id, error }));
      });
    },
  };
}

function pipelineLabels(pipeline: ObjectLinkRow): Record<string, string> {
  return { [PIPELINE_ID_LABEL]: pipeline.row_id, [PIPELINE_LABEL]: labelValue(pipeline.name) };
}

function ownerReference({ name, uid }: ObjectLinkRow): OwnerReference {
  return { apiVersion: apiVersionOf(PIPELINES), kind: PIPELINES.kind, name, uid, blockOwnerDeletion: true };
}

/** Whether an object may have it as its version's name. */
function isVersionName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/u.test(name);
}

/** What was parsed, as JSON again. */
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
