import { Handle, Position, type Node, type NodeProps, type NodeTypes } from "@xyflow/react";
import { createContext, memo, use, type Context, type ReactNode } from "react";
import { timeOf } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { StateIcon } from "../app/state-badge.tsx";
import { lookOf } from "../app/states.ts";
import { Duration } from "../app/times.tsx";
import { detailOf } from "./kinds.ts";
import { StateBar } from "./state-bar.tsx";
import type { StateCounts, TaskPlace } from "./task-tree.ts";
import classes from "./graph-nodes.module.css";

/** What a box shows. */
export interface PlaceData extends Record<string, unknown> {
  readonly place: TaskPlace;
  readonly counts?: StateCounts;
}

const EnterContext: Context<(path: string) => void> = createContext<(path: string) => void>(() => undefined);

/** Gives the boxes the way into containers. */
export const GraphActions: React.Provider<(path: string) => void> = EnterContext.Provider;

type PlaceNode = Node<PlaceData>;

/** Whether two draw the same, though the run has changed around them. */
function isSameBox(one: NodeProps<PlaceNode>, other: NodeProps<PlaceNode>): boolean {
  const [before, after] = [one.data, other.data];
  const isSamePlace = before.place.task === after.place.task && before.place.state === after.place.state && before.place.path === after.place.path;
  return isSamePlace && one.selected === other.selected && textOfCounts(before.counts) === textOfCounts(after.counts);
}

function textOfCounts(counts: StateCounts | undefined): string {
  return counts === undefined ? "" : [...counts].join();
}

const TaskBox = memo(function TaskBox({ data: { place, counts }, selected }: NodeProps<PlaceNode>): ReactNode {
  const { task, state, label } = place;
  return (
    <div className={classes["task"]} data-tone={lookOf(state).tone} data-selected={selected} data-unreached={state === "NONE"}>
      <Handles />
      <StateIcon state={state} size={24} />
      <span className={classes["text"]}>
        <span className={classes["label"]} title={label}>
          {label}
        </span>
        <span className={classes["detail"]}>
          {detailOf(place)}
          {task?.start_time === undefined ? null : (
            <>
              {" · "}
              <Duration start={timeOf(task.start_time)} end={timeOf(task.end_time)} />
            </>
          )}
          {(task?.attempt ?? 0) > 0 ? ` · attempt ${(task?.attempt ?? 0) + 1}` : null}
        </span>
        {counts === undefined || counts.size === 0 ? null : <StateBar counts={counts} />}
      </span>
      {counts === undefined ? null : <Enter path={place.path} label={label} />}
    </div>
  );
}, isSameBox);

const ContainerBox = memo(function ContainerBox({ data: { place }, selected }: NodeProps<PlaceNode>): ReactNode {
  return (
    <div className={classes["container"]} data-tone={lookOf(place.state).tone} data-selected={selected}>
      <Handles />
      <div className={classes["title"]}>
        <StateIcon state={place.state} size={18} />
        <span className={classes["label"]} title={place.label}>
          {place.label}
        </span>
        <span className={classes["detail"]}>{detailOf(place)}</span>
        <Enter path={place.path} label={place.label} />
      </div>
    </div>
  );
}, isSameBox);

/** How the graph draws what it has. */
export const NODE_TYPES: NodeTypes = { task: TaskBox, container: ContainerBox };

function Enter({ path, label }: { readonly path: string; readonly label: string }): ReactNode {
  const enter = use(EnterContext);
  return (
    <button
      type="button"
      className={`${classes["enter"]} nodrag nopan`}
      aria-label={`Look into ${label}`}
      title="Look into it"
      onClick={(event) => {
        event.stopPropagation();
        enter(path);
      }}
    >
      <Icon name="grow" size={14} />
    </button>
  );
}

function Handles(): ReactNode {
  return (
    <>
      <Handle type="target" position={Position.Top} className={classes["handle"] ?? ""} />
      <Handle type="source" position={Position.Bottom} className={classes["handle"] ?? ""} />
    </>
  );
}
