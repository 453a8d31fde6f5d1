import { defineController, type Controller } from "@sluice/controller";
import { Lease, Node } from "@sluice/kubernetes";
import { taintsOf, unknownConditions } from "./node-conditions.ts";

const LEASE_NAMESPACE = "kube-node-lease";
/** How long a node may be silent before nothing is known of it. */
const SILENCE_MS = 40_000;
/** A controller that itself was not awake when it should have been has no right to judge. */
const SLACK_MS = 5000;

/** What was last heard of a node, and when that, and the controller itself, was last seen. */
interface Heard {
  readonly heartbeat: string;
  readonly since: number;
  readonly looked: number;
}

/** Says of nodes whose heartbeat has stopped that nothing is known of them, and taints nodes as their conditions demand. */
export function nodeLifecycleController(): Controller {
  const heard = new Map<string, Heard>();
  return defineController({
    name: "node-lifecycle-controller",
    for: Node,
    watches: [{ resource: Lease, keys: ({ metadata: { namespace, name } }) => (namespace === LEASE_NAMESPACE ? [{ name }] : []) }],
    async reconcile({ name }, { cache, client, clock }) {
      const node = cache.get(Node, { name });
      if (node === undefined) {
        heard.delete(name);
        return;
      }
      const now = clock.now();
      const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
      const heartbeat = `${cache.get(Lease, { namespace: LEASE_NAMESPACE, name })?.spec.renewTime ?? ""} ${ready?.lastHeartbeatTime ?? ""}`;
      const before = heard.get(name);
      // Times are compared as this process sees them: the node's clock may be wrong, and after a sleep so is this one's.
      const isFresh = before === undefined || before.heartbeat !== heartbeat || now - before.looked > SILENCE_MS + SLACK_MS;
      const since = isFresh ? now : before.since;
      heard.set(name, { heartbeat, since, looked: now });

      const { uid, resourceVersion } = node.metadata;
      const stamp = `${new Date(now).toISOString().slice(0, 19)}Z`;
      const rest = since + SILENCE_MS - now;
      const conditions = rest > 0 ? undefined : unknownConditions(node, stamp);
      if (conditions !== undefined) {
        await client.patch(
          Node,
          { name },
          { type: "merge", subresource: "status", body: { metadata: { uid, resourceVersion }, status: { conditions } } },
        );
        return; // The change brings the taints.
      }
      const taints = taintsOf(node, stamp);
      if (taints !== undefined) await client.patch(Node, { name }, { type: "merge", body: { metadata: { uid, resourceVersion }, spec: { taints } } });
      return { requeueAfter: rest > 0 ? rest : SILENCE_MS };
    },
  });
}
