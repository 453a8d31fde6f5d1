/**
 * The controllers that every Kubernetes cluster has, as far as this one needs them. They reach the API only through
 * `Client`, and each decides from what it sees, never from what it was told.
 */
import type { Controller } from "@sluice/controller";
import { deploymentController } from "./apps/deployment-controller.ts";
import { replicaSetController, replicationController } from "./apps/replica-set-controller.ts";
import { statefulSetController } from "./apps/stateful-set-controller.ts";
import { clusterRoleAggregationController } from "./cluster-role-aggregation.ts";
import { eventExpiryController } from "./event-expiry.ts";
import { garbageCollector } from "./garbage-collector.ts";
import { jobController } from "./job/job-controller.ts";
import { orphanJobPodsController } from "./job/orphan-job-pods.ts";
import { ttlAfterFinishedController } from "./job/ttl-after-finished.ts";
import { rootCaController, serviceAccountController } from "./namespace-defaults.ts";
import { namespaceLifecycleController } from "./namespace-lifecycle.ts";
import { nodeLifecycleController } from "./node/node-lifecycle.ts";
import { podGarbageCollector } from "./node/pod-garbage-collector.ts";
import { terminatedPodCollector } from "./node/terminated-pod-collector.ts";
import { taintEvictionController } from "./node/taint-eviction.ts";
import { endpointSliceController } from "./service/endpoint-slice-controller.ts";
import { endpointsController } from "./service/endpoints-controller.ts";
import { endpointsMirror } from "./service/endpoints-mirror.ts";
import { persistentVolumeClaimController } from "./volume/claim-controller.ts";
import { persistentVolumeController } from "./volume/volume-controller.ts";
import { World } from "./world.ts";

/** What the controllers must be told. */
export interface ControlPlaneOptions {
  /** The certificate (PEM) that pods trust when they call the API. */
  readonly rootCa: string;
}

/** The controllers of a cluster's control plane, for one `runManager`. */
export function controlPlaneControllers({ rootCa }: ControlPlaneOptions): readonly Controller[] {
  const world = new World();
  return [
    garbageCollector(world),
    namespaceLifecycleController(world),
    serviceAccountController(),
    rootCaController(rootCa),
    jobController(),
    orphanJobPodsController(),
    ttlAfterFinishedController(),
    replicaSetController(),
    replicationController(),
    deploymentController(),
    statefulSetController(),
    endpointSliceController(),
    endpointsController(),
    endpointsMirror(),
    persistentVolumeClaimController(),
    persistentVolumeController(),
    nodeLifecycleController(),
    taintEvictionController(),
    podGarbageCollector(),
    terminatedPodCollector(),
    eventExpiryController(),
    clusterRoleAggregationController(),
  ];
}
