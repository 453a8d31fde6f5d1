import type { ReactNode } from "react";
import type { Run } from "@sluice/sdk";
import { isContainer, type TaskIndex, type TaskPlace } from "../graph/task-tree.ts";
import { explain } from "./explain.ts";
import classes from "./run-failure.module.css";

interface RunFailureProps {
  readonly run: Run;
  readonly index: TaskIndex;
  readonly onSelect: (path: string) => void;
}

/** Why a run failed, and the way to the task that it failed in. */
export function RunFailure({ run, index, onSelect }: RunFailureProps): ReactNode {
  if (run.state !== "FAILED") return null;
  const culprit = firstFailed(index, index.root);
  const message = culprit?.task?.status_metadata?.message ?? run.error?.message ?? "It does not say why.";
  return (
    <div className={classes["failure"]} role="alert">
      <span className={classes["text"]}>
        <b>{culprit === undefined ? "The run failed" : `${culprit.label} failed`}</b>: {explain(message).gist}
      </span>
      {culprit === undefined ? null : (
        <button type="button" onClick={() => onSelect(culprit.path)}>
          Show {culprit.label}
        </button>
      )}
    </div>
  );
}

/** The first task that failed by itself, and not through what is in it. */
function firstFailed(index: TaskIndex, place: TaskPlace): TaskPlace | undefined {
  const failed = index.children(place).filter(({ state }) => state === "FAILED");
  failed.sort((one, other) => (one.task?.end_time ?? "").localeCompare(other.task?.end_time ?? ""));
  const [first] = failed;
  if (first === undefined) return undefined;
  return isContainer(first) ? (firstFailed(index, first) ?? first) : first;
}
