import type { ReconcileContext } from "@sluice/controller";
import { Deployment, ReplicaSet } from "@sluice/kubernetes";

const REVISION = "deployment.kubernetes.io/revision";
const HISTORY = "deployment.kubernetes.io/revision-history";
const OWN: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  HISTORY,
  "deployment.kubernetes.io/desired-replicas",
  "deployment.kubernetes.io/max-replicas",
]);
const LONGEST_HISTORY = 2000;

/** The annotations of a new ReplicaSet: those of its Deployment, and its number. */
export function newAnnotations(deployment: Deployment, old: readonly ReplicaSet[]): Record<string, string> {
  return { ...inherited(deployment), [REVISION]: `${nextRevision(old)}` };
}

/** Numbers the present template, as a rollback makes an old one the newest, and hands on what its ReplicaSet takes from the Deployment. */
export async function recordRevision(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  { client }: ReconcileContext,
): Promise<void> {
  const before = current.metadata.annotations ?? {};
  const revision = Math.max(revisionOf(current), nextRevision(old));
  const isNewer = revision !== revisionOf(current);
  const history = isNewer && before[REVISION] !== undefined ? { [HISTORY]: longerHistory(before[HISTORY], before[REVISION]) } : {};
  const annotations = { ...inherited(deployment), ...history, [REVISION]: `${revision}` };
  const { minReadySeconds } = deployment.spec;
  const isSame =
    Object.entries(annotations).every(([key, value]) => before[key] === value) && (current.spec.minReadySeconds ?? 0) === (minReadySeconds ?? 0);
  if (!isSame) {
    const body = { metadata: { uid: current.metadata.uid, annotations }, spec: { minReadySeconds: minReadySeconds ?? null } };
    await client.patch(ReplicaSet, current.metadata, { type: "merge", body });
  }
  if (deployment.metadata.annotations?.[REVISION] === `${revision}`) return;
  await client.patch(Deployment, deployment.metadata, { type: "merge", body: { metadata: { annotations: { [REVISION]: `${revision}` } } } });
}

/** The number of a ReplicaSet's template; 0 if it has none. */
export function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[REVISION] ?? 0);
}

function inherited({ metadata }: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !OWN.has(key)));
}

function longerHistory(history: string | undefined, revision: string): string {
  const parts = [...(history ?? "").split(",").filter((part) => part !== ""), revision];
  while (parts.join().length > LONGEST_HISTORY) parts.shift();
  return parts.join();
}

function nextRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map(revisionOf)) + 1;
}
