import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { formatTime, timeOf } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { StateBadge } from "../app/state-badge.tsx";
import { lookOf } from "../app/states.ts";
import { Duration } from "../app/times.tsx";
import { conditionText, itemOf } from "../graph/kinds.ts";
import { StateBar } from "../graph/state-bar.tsx";
import { countStates, isContainer, type TaskIndex, type TaskPlace } from "../graph/task-tree.ts";
import { explain } from "./explain.ts";
import { Facts, Fact } from "./facts.tsx";
import classes from "./task-overview.module.css";

interface TaskOverviewProps {
  readonly place: TaskPlace;
  readonly index: TaskIndex;
  readonly onEnter: (path: string) => void;
  readonly onLog: () => void;
}

/** How a task stands, why, and when it did what. */
export function TaskOverview({ place, index, onEnter, onLog }: TaskOverviewProps): ReactNode {
  const { task, component } = place;
  const [created, started, ended, retryAt] = [task?.create_time, task?.start_time, task?.end_time, task?.retry_at].map(timeOf);
  const children = isContainer(place) ? index.children(place) : [];
  const counts = countStates(children);
  return (
    <div className={classes["overview"]}>
      <Reason place={place} onLog={onLog} />
      {children.length === 0 ? null : (
        <section className={classes["inside"]}>
          <StateBar counts={counts} />
          <span>{[...counts].map(([state, count]) => `${count} ${lookOf(state).label.toLowerCase()}`).join(" · ")}</span>
          <Button variant="default" size="compact-sm" leftSection={<Icon name="grow" size={14} />} onClick={() => onEnter(place.path)}>
            {place.kind === "LOOP" ? "Show the iterations" : "Look into it"}
          </Button>
        </section>
      )}
      <Facts>
        <Fact name="State">
          <StateBadge state={place.state} />
        </Fact>
        {started === undefined ? null : (
          <Fact name="Duration">
            <Duration start={started} end={ended} />
          </Fact>
        )}
        {created === undefined || started === undefined || started - created < 1000 ? null : (
          <Fact name="Waited">
            <Duration start={created} end={started} />
          </Fact>
        )}
        {started === undefined ? null : <Fact name="Started">{formatTime(started)}</Fact>}
        {ended === undefined ? null : <Fact name="Ended">{formatTime(ended)}</Fact>}
        {task?.attempt === undefined ? null : <Fact name="Attempt">{task.attempt + 1}</Fact>}
        {retryAt === undefined ? null : <Fact name="Next attempt">{formatTime(retryAt)}</Fact>}
        {place.iteration === undefined ? null : <Fact name="Iteration">{place.iteration}</Fact>}
        {itemOf(place) === undefined ? null : (
          <Fact name="Item" isCode>
            {itemOf(place)}
          </Fact>
        )}
        {place.condition === undefined ? null : (
          <Fact name="Condition" isCode>
            {conditionText(place.condition)}
          </Fact>
        )}
        {component.image === undefined || place.kind === "LOOP" ? null : (
          <Fact name="Image" isCode>
            {component.image}
          </Fact>
        )}
        {task?.pods === undefined ? null : (
          <Fact name="Pod" isCode>
            {task.pods.map(({ name }) => name).join(", ")}
          </Fact>
        )}
        {task?.cached_from === undefined ? null : (
          <Fact name="Result of" isCode>
            {task.cached_from}
          </Fact>
        )}
        {task === undefined ? null : (
          <Fact name="Task id" isCode>
            {task.task_id}
          </Fact>
        )}
      </Facts>
      {component.command === undefined || component.command.length === 0 || place.kind === "LOOP" ? null : (
        <details className={classes["command"]}>
          <summary>Command</summary>
          <pre>{component.command.join("\n")}</pre>
        </details>
      )}
    </div>
  );
}

/** Why it stands as it does, where that is not plain. */
function Reason({ place: { state, task, kind }, onLog }: { readonly place: TaskPlace; readonly onLog: () => void }): ReactNode {
  const message = task?.status_metadata?.message;
  const { tone } = lookOf(state);
  if (state === "CACHED") {
    return (
      <p className={classes["reason"]} data-tone={tone}>
        <b>Taken from the cache.</b> An earlier task of this pipeline had the same image, command and inputs, so its outputs were used again and
        nothing was run.
      </p>
    );
  }
  if (state === "NONE") {
    return (
      <p className={classes["reason"]} data-tone={tone}>
        The run has not reached this task.
      </p>
    );
  }
  if (message === undefined) return null;
  const { what, tail } = explain(message);
  const isPast = state === "PENDING" || state === "RUNNING" || state === "SUCCEEDED";
  return (
    <div className={classes["reason"]} data-tone={isPast ? "waiting" : tone} role={state === "FAILED" ? "alert" : undefined}>
      <b>{isPast ? "The attempt before failed: " : ""}</b>
      {what}
      {tail === undefined ? null : <pre>{tail}</pre>}
      {state === "FAILED" && kind === "RUNTIME" && task?.pods !== undefined ? (
        <button type="button" onClick={onLog}>
          Show the log
        </button>
      ) : null}
    </div>
  );
}
