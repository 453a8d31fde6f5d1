import type { Controller } from "@sluice/controller";
import { ClusterIdentity } from "./cluster-identity.ts";
import { mirror } from "./mirror.ts";
import { pipelineMirror } from "./pipeline-mirror.ts";
import { scheduledWorkflowMirror, type ScheduledWorkflowMirrorOptions } from "./scheduled-workflow-mirror.ts";
import { versionMirror } from "./version-mirror.ts";

/** The controllers that keep pipelines, their versions and recurring runs in step with their objects. */
export function mirrors(options: ScheduledWorkflowMirrorOptions): readonly Controller[] {
  const { store } = options;
  const cluster = new ClusterIdentity(store);
  return [
    mirror(store, cluster, pipelineMirror(store)),
    mirror(store, cluster, versionMirror(store)),
    mirror(store, cluster, scheduledWorkflowMirror(options)),
  ];
}
