import type { ScheduledWorkflow, WorkflowStatus } from "../kinds/scheduled-workflow.ts";
import { progressOf } from "../runner/run-record.ts";
import { nextSlot } from "../schedules/next-slot.ts";
import { scheduleOf } from "../schedules/scheduler.ts";
import type { Trigger } from "../schedules/trigger.ts";
import type { RecurringRunRow, RunListRow } from "../store/tables.ts";
import { objectTime } from "./scheduled-workflow-content.ts";

type Status = NonNullable<ScheduledWorkflow["status"]>;
type Condition = NonNullable<Status["conditions"]>[number];

const INVALID = "Invalid";

/** What the status of a ScheduledWorkflow is made of. */
export interface ScheduledWorkflowFacts {
  /** Unset for an object that is refused. */
  readonly row: RecurringRunRow | undefined;
  /** Why what the object says is not done. */
  readonly problem: string | undefined;
  readonly active: readonly RunListRow[];
  readonly completed: readonly RunListRow[];
  readonly now: number;
  readonly timeZone: string;
}

/** The status of a ScheduledWorkflow, as upstream writes it. */
export function scheduledWorkflowStatus({ row, problem, active, completed, now, timeZone }: ScheduledWorkflowFacts): Status {
  if (row === undefined) return { conditions: [errorCondition(INVALID, problem ?? "it is not known")] };
  const failure = problem ?? (row.error === "" ? undefined : row.error);
  const next = row.status === "ENABLED" ? nextSlot(scheduleOf(row), now, timeZone) : undefined;
  return {
    conditions: [
      condition(stateOf(row, active.length)),
      ...(failure === undefined ? [] : [errorCondition(problem === undefined ? "NoRun" : INVALID, failure)]),
    ],
    trigger: {
      ...(row.last_slot_at === 0 ? {} : { lastTriggeredTime: objectTime(row.last_slot_at) }),
      ...(next === undefined ? {} : { nextTriggeredTime: objectTime(next) }),
      ...(row.last_index === 0 ? {} : { lastWorkflowIndex: row.last_index }),
    },
    workflowHistory: { active: active.map(workflowStatus), completed: completed.map(workflowStatus) },
  };
}

/** Whether an object was told that it cannot be what it says. */
export function isRefused(status: Status | undefined): boolean {
  return status?.conditions?.some(({ reason }) => reason === INVALID) ?? false;
}

function stateOf(row: RecurringRunRow, active: number): string {
  const { cron, every } = JSON.parse(row.trigger) as Trigger;
  if (cron !== undefined || every !== undefined) return row.status === "ENABLED" ? "Enabled" : "Disabled";
  return row.last_slot_at !== 0 && active === 0 ? "Succeeded" : "Running";
}

const MESSAGES: Readonly<Record<string, string>> = {
  Enabled: "runs start as scheduled",
  Disabled: "no run starts",
  Running: "its one run has not ended",
  Succeeded: "its one run has ended",
};

function condition(type: string): Condition {
  return { type, status: "True", reason: type, message: MESSAGES[type] ?? "" };
}

function errorCondition(reason: string, message: string): Condition {
  return { type: "Error", status: "True", reason, message };
}

function workflowStatus(run: RunListRow): WorkflowStatus {
  const { message } = progressOf(run);
  return {
    ...{ name: run.name, namespace: run.namespace, uid: run.id, phase: run.state },
    ...(message === undefined ? {} : { message }),
    ...{ createdAt: objectTime(run.created_at), scheduledAt: objectTime(run.scheduled_at) },
    ...(run.finished_at === 0 ? {} : { finishedAt: objectTime(run.finished_at) }),
  };
}
