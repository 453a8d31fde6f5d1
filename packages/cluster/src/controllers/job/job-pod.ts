import type { Container, Job, Pod } from "@sluice/kubernetes";
import { FAILURE_COUNT, IGNORED_FAILURE_COUNT, INDEX, TRACKING_FINALIZER } from "./job-pods.ts";
import type { PodWish } from "./plan-workforce.ts";

const LONGEST_HOSTNAME = 63;

/** The pod that a Job's template makes, for an index or for any. */
export function podOfJob(job: Job, { index, failures }: PodWish): Pod {
  const { metadata, spec } = job;
  const template = spec.template.metadata ?? {};
  const base = index === undefined ? metadata.name : `${metadata.name}-${index}`;
  const numbered = index === undefined ? {} : { [INDEX]: `${index}` };
  const history =
    failures === undefined
      ? {}
      : { [FAILURE_COUNT]: `${failures.counted}`, ...(failures.ignored === 0 ? {} : { [IGNORED_FAILURE_COUNT]: `${failures.ignored}` }) };
  const finalizers = [...(template.finalizers ?? []).filter((one) => one !== TRACKING_FINALIZER), TRACKING_FINALIZER];
  const podSpec = spec.template.spec ?? { containers: [] };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "",
      generateName: `${base}-`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...template.labels, ...numbered },
      annotations: { ...template.annotations, ...numbered, ...history },
      finalizers,
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "Job", name: metadata.name, uid: metadata.uid ?? "", controller: true, blockOwnerDeletion: true },
      ],
    },
    spec:
      index === undefined
        ? podSpec
        : {
            ...podSpec,
            ...(base.length <= LONGEST_HOSTNAME && podSpec.hostname === undefined ? { hostname: base } : {}),
            containers: podSpec.containers.map(withIndex),
            ...(podSpec.initContainers === undefined ? {} : { initContainers: podSpec.initContainers.map(withIndex) }),
          },
  };
}

/** Containers learn the index from their environment. */
function withIndex(container: Container): Container {
  const name = "JOB_COMPLETION_INDEX";
  if (container.env?.some((one) => one.name === name) === true) return container;
  return {
    ...container,
    env: [...(container.env ?? []), { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: `metadata.labels['${INDEX}']` } } }],
  };
}
