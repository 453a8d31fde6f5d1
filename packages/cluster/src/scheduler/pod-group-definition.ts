import type { UnknownObject } from "@sluice/kubernetes";
import { PodGroup } from "./pod-group.ts";

const count = { type: "integer", format: "int32" };
const amount = {
  anyOf: [{ type: "integer" }, { type: "string" }],
  pattern: "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
  "x-kubernetes-int-or-string": true,
};

const schema = {
  description: "Pods that start together or not at all.",
  type: "object",
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { type: "object" },
    spec: {
      type: "object",
      properties: {
        minMember: { ...count, minimum: 1, description: "How many pods must have a node at the same time for any to start." },
        minResources: { type: "object", additionalProperties: amount, description: "What that many pods need together." },
        scheduleTimeoutSeconds: { ...count, description: "For how long a scheduler that holds places while it waits for the others may do so." },
      },
    },
    status: {
      type: "object",
      properties: {
        phase: { type: "string" },
        occupiedBy: { type: "string", description: "Whose pods they are, as namespace/owner." },
        running: count,
        succeeded: count,
        failed: count,
        scheduleStartTime: { type: "string", format: "date-time" },
      },
    },
  },
};

const column = (name: string, type: string, jsonPath: string, description: string): object => ({ name, type, jsonPath, description });

/** The kind of pod groups, which every cluster has whose scheduler knows what they mean; it may be replaced by upstream's own. */
export const podGroupDefinition: UnknownObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${PodGroup.plural}.${PodGroup.group}`,
    annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/scheduler-plugins/pull/50" },
  },
  spec: {
    group: PodGroup.group,
    scope: PodGroup.scope,
    names: {
      kind: PodGroup.kind,
      listKind: PodGroup.listKind,
      plural: PodGroup.plural,
      singular: PodGroup.singular,
      shortNames: PodGroup.shortNames,
    },
    versions: [
      {
        name: PodGroup.version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        additionalPrinterColumns: [
          column("Phase", "string", ".status.phase", "How far the group has come."),
          column("MinMember", "integer", ".spec.minMember", "How many pods start together."),
          column("Running", "integer", ".status.running", "How many pods run."),
          column("Succeeded", "integer", ".status.succeeded", "How many pods have succeeded."),
          column("Failed", "integer", ".status.failed", "How many pods have failed."),
          column("Age", "date", ".metadata.creationTimestamp", "When the group was made."),
        ],
      },
    ],
  },
};
