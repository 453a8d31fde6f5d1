import type { RunState, TaskState } from "@sluice/sdk";
import type { IconName } from "./icons.tsx";

/** How a run or task stands; NONE is a task that has not been reached. */
export type ShownState = RunState | TaskState | "NONE";

/** How a state looks: its words, its drawing, and the family of colours in `theme.css`. */
export interface StateLook {
  readonly label: string;
  readonly icon: IconName | "spinner";
  readonly tone: "running" | "succeeded" | "cached" | "failed" | "waiting" | "stopped" | "idle";
}

const LOOKS: Readonly<Record<ShownState, StateLook>> = {
  PENDING: { label: "Pending", icon: "clock", tone: "waiting" },
  RUNNING: { label: "Running", icon: "spinner", tone: "running" },
  PAUSED: { label: "Paused", icon: "clock", tone: "waiting" },
  SUCCEEDED: { label: "Succeeded", icon: "check", tone: "succeeded" },
  CACHED: { label: "Cached", icon: "bolt", tone: "cached" },
  FAILED: { label: "Failed", icon: "cross", tone: "failed" },
  SKIPPED: { label: "Skipped", icon: "skip", tone: "idle" },
  CANCELING: { label: "Terminating", icon: "spinner", tone: "stopped" },
  CANCELED: { label: "Canceled", icon: "stop", tone: "stopped" },
  NONE: { label: "Not reached", icon: "dash", tone: "idle" },
};

/** How a state looks; a state that this page has never heard of is shown as it is called. */
export function lookOf(state: ShownState | undefined): StateLook {
  const look = LOOKS[state ?? "NONE"] as StateLook | undefined;
  return look ?? { label: String(state), icon: "dash", tone: "idle" };
}
