import { defineController, type Controller, type Source } from "@sluice/controller";
import { ApiError, canonicalJson, isApiError, UserError, type KubernetesObject } from "@sluice/kubernetes";
import type { Store } from "../store/store.ts";
import type { ClusterIdentity } from "./cluster-identity.ts";
import type { MirrorKind } from "./mirror-kind.ts";
import { planMirror, type MirrorStep } from "./plan-mirror.ts";
import { takeStep, type View } from "./take-step.ts";

/** Keeps the rows and the objects of one kind in step, whichever side changes. Rows lead: an object is made, changed and deleted after them. */
export function mirror<T extends KubernetesObject, Row>(store: Store, cluster: ClusterIdentity, kind: MirrorKind<T, Row>): Controller {
  return defineController<T>({
    name: `pipelines-${kind.resource.plural}`,
    for: kind.resource,
    ...(kind.indexes === undefined ? {} : { indexes: kind.indexes }),
    sources: [(context) => followRows(store, cluster, kind, context)],
    async reconcile(key, context) {
      const clusterId = await cluster.of(context.client);
      let problem: string | undefined;
      for (let isDone = false; !isDone;) {
        const object = context.cache.get(kind.resource, key);
        const link = await store.objects.at(kind.kind, key);
        const row = link === undefined ? undefined : await kind.find(link.row_id);
        const view = { object, link, row };
        const step = await stepOf(kind, view);
        try {
          isDone = await takeStep(store, kind, { ...view, step, key, clusterId, client: context.client });
        } catch (error) {
          if (object === undefined || !isRefusal(error)) throw error;
          problem = error.message;
          context.events.record(object, { type: "Warning", reason: "Refused", message: problem });
          isDone = true;
        }
        if (isDone && object !== undefined && object.metadata.deletionTimestamp === undefined && (step === "nothing" || problem !== undefined)) {
          await kind.show?.(object, { row, problem, client: context.client });
        }
      }
    },
  });
}

async function stepOf<T extends KubernetesObject, Row>(kind: MirrorKind<T, Row>, { object, link, row }: View<T, Row>): Promise<MirrorStep> {
  return planMirror({
    link: link === undefined ? undefined : { rowId: link.row_id, uid: link.uid, base: link.base },
    row: row === undefined ? undefined : { content: canonicalJson(kind.contentOf(row)) },
    object:
      object === undefined
        ? undefined
        : {
            uid: object.metadata.uid ?? "",
            content: canonicalJson(await kind.contentIn(object, row)),
            rowId: object.metadata.labels?.[kind.idLabel],
            isLeaving: object.metadata.deletionTimestamp !== undefined,
          },
  });
}

/** Turns news of rows into names of objects, for those that have none yet as well. */
async function followRows<T extends KubernetesObject, Row>(
  store: Store,
  cluster: ClusterIdentity,
  kind: MirrorKind<T, Row>,
  context: Parameters<Source>[0],
): Promise<void> {
  const { client, enqueue, logger, signal } = context;
  const place = async (id: string): Promise<void> => {
    const known = await store.objects.ofRow(kind.kind, id);
    if (known !== undefined) return enqueue(known);
    const row = await kind.find(id);
    const found = row === undefined ? undefined : await kind.placeOf(row);
    if (found === undefined) return;
    const link = { kind: kind.kind, namespace: found.namespace, row_id: id, uid: "", base: "", cluster: await cluster.of(client) };
    const reserved = await store.objects.reserve(link, found.names);
    if (reserved === undefined) throw new ApiError("AlreadyExists", `all names are taken: ${found.names.join(", ")}`);
    enqueue(reserved);
  };
  const look = (id: string): void => {
    place(id).catch((error: unknown) => {
      if (!signal.aborted) logger.error("cannot show a row as an object; tried again on the next start", { kind: kind.kind, row: id, error });
    });
  };
  const stop = store.changes.subscribe((change) => {
    if (change.kind === kind.kind) look(change.id);
  });
  const stopFollowing = kind.follow?.(context, look);
  await cluster.of(client);
  for (const key of await store.objects.keys(kind.kind)) enqueue(key);
  for (const id of await store.objects.unlinked(kind.kind)) look(id);
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  stop();
  stopFollowing?.();
}

/** Whether an object cannot be what it says. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof UserError) return true;
  return ["BadRequest", "NotFound", "AlreadyExists", "Invalid"].some((reason) => isApiError(error) && error.reason === reason);
}
