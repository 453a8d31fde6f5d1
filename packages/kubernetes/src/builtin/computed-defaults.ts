import type { UnknownObject } from "../object.ts";
import type { Resource } from "../resource.ts";
import { applyDefaults } from "../schema-default.ts";
import { isObject } from "../schema-walk.ts";
import { builtinDefinition } from "./schema-of-definition.ts";

type Json = Readonly<Record<string, unknown>>;
type Change = (node: Json) => Json;
/** Completes an object that has its schema's defaults; `given` is without them. */
type Completion = (object: Json, given: Json) => Json;

const RBAC = "rbac.authorization.k8s.io";

/**
 * A built-in object with every default that Kubernetes gives it: those of the schema, and those that depend on other fields.
 * Returns the same reference where nothing changes.
 */
export function applyBuiltinDefaults(object: UnknownObject, resource: Pick<Resource, "group" | "kind" | "schema">): UnknownObject {
  const defaulted = applyDefaults(object, resource.schema, { resolve: builtinDefinition });
  const complete = BY_KIND[`${resource.group}/${resource.kind}`];
  // Completing adds fields below the root only, so identity and metadata stay as they were.
  return complete === undefined ? defaulted : (complete(defaulted, object) as UnknownObject);
}

const podTemplate = at(["spec", "template", "spec"], podSpec);

const BY_KIND: Readonly<Record<string, Completion>> = {
  "/Pod": at(["spec"], (spec) => podSpec(onlyPods(spec))),
  "/PodTemplate": at(["template", "spec"], podSpec),
  "/ReplicationController": podTemplate,
  "/LimitRange": at(["spec"], (spec) => mapList(spec, "limits", limitRangeItem)),
  "/Service": at(["spec"], (spec) => ({ ...spec, ...mapList(spec, "ports", (port) => fill(port, { targetPort: port["port"] })) })),
  "apps/Deployment": (object) => podTemplate(at(["spec", "strategy"], rollingUpdate({ maxSurge: "25%", maxUnavailable: "25%" }))(object)),
  "apps/StatefulSet": (object) => podTemplate(at(["spec", "updateStrategy"], rollingUpdate({ partition: 0 }))(object)),
  "apps/DaemonSet": (object) => podTemplate(at(["spec", "updateStrategy"], rollingUpdate({ maxUnavailable: 1, maxSurge: 0 }))(object)),
  "apps/ReplicaSet": podTemplate,
  "batch/Job": (object, { spec: given }) => at(["spec"], (spec) => jobSpec(spec, isObject(given) ? given : {}))(podTemplate(object)),
  "batch/CronJob": at(["spec", "jobTemplate", "spec", "template", "spec"], podSpec),
  [`${RBAC}/RoleBinding`]: (object) => mapList(object, "subjects", subject),
  [`${RBAC}/ClusterRoleBinding`]: (object) => mapList(object, "subjects", subject),
  "apiextensions.k8s.io/CustomResourceDefinition": at(["spec", "names"], (names) => {
    const kind = String(names["kind"] ?? "");
    return fill(names, { singular: kind.toLowerCase(), listKind: `${kind}List` });
  }),
};

/** Without `completions` and `parallelism` a Job runs one pod; with `parallelism` alone it is a work queue. */
function jobSpec(spec: Json, given: Json): Json {
  const isSingle = (given["completions"] ?? given["parallelism"] ?? undefined) === undefined;
  return fill(spec, {
    ...(isSingle ? { completions: 1 } : {}),
    backoffLimit: spec["backoffLimitPerIndex"] === undefined ? 6 : 2_147_483_647,
    podReplacementPolicy: spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed",
  });
}

function podSpec(spec: Json): Json {
  let result = mapList(mapList(spec, "containers", container), "initContainers", container);
  result = mapList(result, "ephemeralContainers", container);
  result = mapList(result, "volumes", (volume) => (Object.keys(volume).length === 1 ? { ...volume, emptyDir: {} } : volume));
  const account = result["serviceAccountName"] ?? result["serviceAccount"];
  if (account !== undefined) result = fill(result, { serviceAccountName: account, serviceAccount: account });
  return result;
}

/** What only pods get, and templates do not. */
function onlyPods(spec: Json): Json {
  return requestsFromLimits(fill(spec, { enableServiceLinks: true }));
}

function requestsFromLimits(spec: Json): Json {
  const complete: Change = (one) => {
    const resources = one["resources"];
    if (!isObject(resources) || !isObject(resources["limits"])) return one;
    const requests = isObject(resources["requests"]) ? resources["requests"] : {};
    const filled = fill(requests, resources["limits"]);
    return filled === resources["requests"] ? one : { ...one, resources: { ...resources, requests: filled } };
  };
  return mapList(mapList(spec, "containers", complete), "initContainers", complete);
}

/** An image that is `latest`, or says nothing, is looked up each time; any other tag or digest only once. */
function container(one: Json): Json {
  const image = String(one["image"] ?? "");
  const name = image.slice(image.lastIndexOf("/") + 1);
  const isMoving = !name.includes("@") && (!name.includes(":") || name.endsWith(":latest"));
  return fill(one, { imagePullPolicy: isMoving ? "Always" : "IfNotPresent" });
}

/** For containers, the most is what they may use unless told, which is also what they ask for; else that is the least. */
function limitRangeItem(item: Json): Json {
  if (item["type"] !== "Container") return item;
  const given = (field: string): Json => (isObject(item[field]) ? item[field] : {});
  const limits = fill(given("default"), given("max"));
  const requests = fill(fill(given("defaultRequest"), limits), given("min"));
  return {
    ...item,
    ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
  };
}

function subject(one: Json): Json {
  return fill(one, one["kind"] === "ServiceAccount" ? {} : { apiGroup: RBAC });
}

function rollingUpdate(values: Json): Change {
  return (strategy) => (strategy["type"] === "RollingUpdate" ? fill(strategy, { rollingUpdate: values }) : strategy);
}

/** `node` with what it lacks of `values`. */
function fill(node: Json, values: Json): Json {
  const missing = Object.entries(values).filter(([key, value]) => value !== undefined && node[key] === undefined);
  return missing.length === 0 ? node : { ...node, ...Object.fromEntries(missing) };
}

function at([key, ...rest]: readonly string[], change: Change): Change {
  if (key === undefined) return change;
  const below = at(rest, change);
  return (node) => {
    const child = node[key];
    if (!isObject(child)) return node;
    const changed = below(child);
    return changed === child ? node : { ...node, [key]: changed };
  };
}

function mapList(node: Json, key: string, change: Change): Json {
  const list: unknown = node[key];
  if (!Array.isArray(list)) return node;
  const changed = list.map((item: unknown) => (isObject(item) ? change(item) : item));
  return changed.every((item, i) => item === list[i]) ? node : { ...node, [key]: changed };
}
