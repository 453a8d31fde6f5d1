import { TextInput } from "@mantine/core";
import { useMemo, useState, type ReactNode } from "react";
import { plural, timeOf } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { StateBadge } from "../app/state-badge.tsx";
import { Duration } from "../app/times.tsx";
import { kindLabel } from "../graph/kinds.ts";
import type { TaskIndex } from "../graph/task-tree.ts";
import { taskRows, type TaskRow } from "./task-rows.ts";
import { useVirtualRows } from "./virtual-rows.ts";
import classes from "./task-table.module.css";

const ROW_HEIGHT = 40;

interface TaskTableProps {
  readonly index: TaskIndex;
  readonly selected: string | undefined;
  readonly onSelect: (path: string) => void;
}

/** All tasks of a run as a tree in a table; only the rows in view are drawn. */
export function TaskTable({ index, selected, onSelect }: TaskTableProps): ReactNode {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [filter, setFilter] = useState("");
  const rows = useMemo(() => taskRows(index, toggled, filter), [index, toggled, filter]);
  const { ref, onScroll, from, to } = useVirtualRows(rows.length, ROW_HEIGHT);
  const toggle = (path: string): void =>
    setToggled((before) => new Set(before.has(path) ? [...before].filter((other) => other !== path) : [...before, path]));
  return (
    <div className={classes["frame"]}>
      <div className={classes["tools"]}>
        <TextInput
          type="search"
          size="xs"
          w={240}
          placeholder="Filter by name or state"
          aria-label="Filter tasks"
          leftSection={<Icon name="search" size={14} />}
          value={filter}
          onChange={({ currentTarget: { value } }) => setFilter(value)}
        />
        <span>{plural(rows.length, "row")}</span>
      </div>
      <div className={classes["scroll"]} ref={ref} onScroll={onScroll}>
        <table className={classes["table"]} aria-rowcount={rows.length}>
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col" className={classes["kind"]}>
                Kind
              </th>
              <th scope="col" className={classes["state"]}>
                State
              </th>
              <th scope="col" className={classes["time"]}>
                Duration
              </th>
            </tr>
          </thead>
          <tbody>
            {from === 0 ? null : <tr style={{ height: from * ROW_HEIGHT }} aria-hidden="true" />}
            {rows.slice(from, to).map((row) => (
              <Row
                key={row.place.path}
                row={row}
                isSelected={row.place.path === selected}
                onSelect={onSelect}
                onToggle={toggle}
                showPath={filter !== ""}
              />
            ))}
            {to >= rows.length ? null : <tr style={{ height: (rows.length - to) * ROW_HEIGHT }} aria-hidden="true" />}
          </tbody>
        </table>
        {rows.length === 0 ? <p className={classes["empty"]}>{filter === "" ? "Nothing has been reached yet." : "No task fits."}</p> : null}
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: TaskRow;
  readonly isSelected: boolean;
  readonly onSelect: (path: string) => void;
  readonly onToggle: (path: string) => void;
  readonly showPath: boolean;
}

function Row({ row: { place, depth, isOpen, hasChildren }, isSelected, onSelect, onToggle, showPath }: RowProps): ReactNode {
  return (
    <tr className={classes["row"]} data-selected={isSelected} style={{ height: ROW_HEIGHT }}>
      <td>
        <span className={classes["task"]} style={{ paddingLeft: depth * 20 }}>
          {hasChildren ? (
            <button
              type="button"
              className={classes["toggle"]}
              aria-expanded={isOpen}
              aria-label={`What is in ${place.label}`}
              onClick={() => onToggle(place.path)}
            >
              <Icon name={isOpen ? "chevronDown" : "chevronRight"} size={14} />
            </button>
          ) : (
            <span className={classes["toggle"]} />
          )}
          <button type="button" className={classes["name"]} onClick={() => onSelect(place.path)} aria-pressed={isSelected} title={place.path}>
            {showPath ? place.path.replace(/^root\./u, "") : place.label}
          </button>
        </span>
      </td>
      <td className={classes["kind"]}>{kindLabel(place)}</td>
      <td className={classes["state"]}>
        <StateBadge state={place.state} />
      </td>
      <td className={classes["time"]}>
        <Duration start={timeOf(place.task?.start_time)} end={timeOf(place.task?.end_time)} />
      </td>
    </tr>
  );
}
