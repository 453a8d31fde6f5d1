import { defineResource, type KubernetesObject, type Resource, type Schema } from "@sluice/kubernetes";
import type { JsonValue } from "../domain/ir.ts";

/** The label with a recurring run's id, where it is not the object's uid. */
export const RECURRING_RUN_ID_LABEL = "pipelines.kubeflow.org/recurring-run-id";
/** Labels that upstream sets. */
export const ENABLED_LABEL = "scheduledworkflows.kubeflow.org/enabled";
export const STATUS_LABEL = "scheduledworkflows.kubeflow.org/status";

/** From when to when a schedule holds, as Kubernetes writes times. */
export interface Bounds {
  readonly startTime?: string;
  readonly endTime?: string;
}

/** One run in a schedule's history. */
export interface WorkflowStatus {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly phase: string;
  readonly message?: string;
  readonly createdAt: string;
  readonly scheduledAt: string;
  readonly finishedAt?: string;
}

/** A recurring run as Kubernetes shows it. */
export interface ScheduledWorkflow extends KubernetesObject {
  spec: {
    readonly enabled?: boolean;
    readonly maxConcurrency?: number;
    readonly noCatchup?: boolean;
    readonly maxHistory?: number;
    readonly trigger?: {
      readonly cronSchedule?: Bounds & { readonly cron?: string };
      readonly periodicSchedule?: Bounds & { readonly intervalSecond?: number };
    };
    readonly workflow?: {
      readonly parameters?: readonly { readonly name: string; readonly value?: string }[];
      readonly pipelineRoot?: string;
      /** A pipeline, as an object or as its YAML. */
      readonly spec?: JsonValue;
    };
    readonly experimentId?: string;
    readonly pipelineId?: string;
    readonly pipelineVersionId?: string;
    readonly pipelineName?: string;
    readonly serviceAccount?: string;
    readonly pluginsInput?: Readonly<Record<string, JsonValue>>;
  };
  status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[];
    readonly trigger?: { readonly lastTriggeredTime?: string; readonly nextTriggeredTime?: string; readonly lastWorkflowIndex?: number };
    readonly workflowHistory?: { readonly active?: readonly WorkflowStatus[]; readonly completed?: readonly WorkflowStatus[] };
  };
}

const TEXT: Schema = { type: "string" };
const TIME: Schema = { type: "string", format: "date-time", nullable: true };
const WHOLE: Schema = { type: "integer", format: "int64" };
const OPEN: Schema = { "x-kubernetes-preserve-unknown-fields": true };
const BOUNDS: Readonly<Record<string, Schema>> = { startTime: TIME, endTime: TIME };

/** `kubeflow.org/v1beta1` ScheduledWorkflow. */
export const SCHEDULED_WORKFLOWS: Resource<ScheduledWorkflow> = defineResource({
  ...{ group: "kubeflow.org", version: "v1beta1", kind: "ScheduledWorkflow", plural: "scheduledworkflows", scope: "Namespaced" },
  shortNames: ["swf"],
  subresources: { status: true },
  columns: [
    { name: "Enabled", type: "boolean", jsonPath: ".spec.enabled" },
    { name: "Status", type: "string", jsonPath: ".status.conditions[0].type" },
    { name: "Last", type: "date", jsonPath: ".status.trigger.lastTriggeredTime" },
    { name: "Runs", type: "integer", jsonPath: ".status.trigger.lastWorkflowIndex" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  schema: {
    type: "object",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        properties: {
          ...{ enabled: { type: "boolean" }, noCatchup: { type: "boolean", nullable: true } },
          ...{ maxConcurrency: { ...WHOLE, nullable: true }, maxHistory: { ...WHOLE, nullable: true } },
          trigger: {
            type: "object",
            properties: {
              cronSchedule: { type: "object", properties: { ...BOUNDS, cron: TEXT } },
              periodicSchedule: { type: "object", properties: { ...BOUNDS, intervalSecond: { ...WHOLE, minimum: 1 } } },
            },
            "x-kubernetes-validations": [
              { rule: "!(has(self.cronSchedule) && has(self.periodicSchedule))", message: "give one of cronSchedule and periodicSchedule" },
            ],
          },
          workflow: {
            type: "object",
            properties: {
              parameters: { type: "array", items: { type: "object", required: ["name"], properties: { name: TEXT, value: TEXT } } },
              pipelineRoot: TEXT,
              spec: OPEN,
            },
          },
          ...{ experimentId: TEXT, pipelineId: TEXT, pipelineVersionId: TEXT, pipelineName: TEXT, serviceAccount: TEXT },
          pluginsInput: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
      status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
  },
});
