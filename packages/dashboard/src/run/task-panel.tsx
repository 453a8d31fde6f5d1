import { ActionIcon, Tabs } from "@mantine/core";
import { useHotkeys, useLocalStorage } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Icon } from "../app/icons.tsx";
import { StateIcon } from "../app/state-badge.tsx";
import { kindLabel } from "../graph/kinds.ts";
import type { TaskIndex, TaskPlace } from "../graph/task-tree.ts";
import { LogView } from "../logs/log-view.tsx";
import { useLog } from "../logs/use-log.ts";
import { TaskOverview } from "./task-overview.tsx";
import { TaskValues } from "./task-values.tsx";
import classes from "./task-panel.module.css";

type Tab = "overview" | "values" | "log";

interface TaskPanelProps {
  readonly runId: string;
  readonly place: TaskPlace;
  readonly index: TaskIndex;
  readonly tab: Tab;
  readonly onTab: (tab: Tab) => void;
  readonly onEnter: (path: string) => void;
  readonly onClose: () => void;
}

/** Everything about the selected task, beside the graph. */
export function TaskPanel({ runId, place, index, tab, onTab, onEnter, onClose }: TaskPanelProps): ReactNode {
  const [isWide, setWide] = useLocalStorage({ key: "sluice-panel-wide", defaultValue: false });
  useHotkeys([["Escape", onClose]]);
  const { task } = place;
  const hasLog = place.kind === "RUNTIME";
  const shown = tab === "log" && !hasLog ? "overview" : tab;
  return (
    <aside className={classes["panel"]} data-wide={isWide} aria-label={`Task ${place.label}`}>
      <header className={classes["header"]}>
        <StateIcon state={place.state} size={26} />
        <div className={classes["titles"]}>
          <h2 title={place.label}>{place.label}</h2>
          <span>{kindLabel(place)}</span>
        </div>
        <ActionIcon
          variant="subtle"
          color="gray"
          visibleFrom="md"
          onClick={() => setWide(!isWide)}
          aria-label={isWide ? "Make the panel narrower" : "Make the panel wider"}
          aria-pressed={isWide}
        >
          <Icon name={isWide ? "shrink" : "grow"} />
        </ActionIcon>
        <ActionIcon variant="subtle" color="gray" onClick={onClose} aria-label="Close the panel">
          <Icon name="close" />
        </ActionIcon>
      </header>
      <Tabs value={shown} onChange={(value) => onTab((value ?? "overview") as Tab)} className={classes["tabs"] ?? ""} keepMounted={false}>
        <Tabs.List px={12}>
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="values">Inputs &amp; outputs</Tabs.Tab>
          {hasLog ? <Tabs.Tab value="log">Log</Tabs.Tab> : null}
        </Tabs.List>
        <Tabs.Panel value="overview" className={classes["body"] ?? ""}>
          <TaskOverview place={place} index={index} onEnter={onEnter} onLog={() => onTab("log")} />
        </Tabs.Panel>
        <Tabs.Panel value="values" className={classes["body"] ?? ""}>
          <TaskValues place={place} />
        </Tabs.Panel>
        {hasLog ? (
          <Tabs.Panel value="log" className={classes["log"] ?? ""}>
            {task === undefined || (task.pods ?? []).length === 0 ? (
              <NoLog place={place} />
            ) : (
              <TaskLog runId={runId} place={place} taskId={task.task_id} pod={task.pods?.[0]?.name ?? ""} />
            )}
          </Tabs.Panel>
        ) : null}
      </Tabs>
    </aside>
  );
}

function TaskLog({
  runId,
  place,
  taskId,
  pod,
}: {
  readonly runId: string;
  readonly place: TaskPlace;
  readonly taskId: string;
  readonly pod: string;
}): ReactNode {
  const log = useLog(runId, taskId, { pod, isRunning: place.state === "RUNNING" || place.state === "PENDING", isGone: place.state === "CANCELED" });
  const url = `/apis/v2beta1/runs/${encodeURIComponent(runId)}/nodes/${encodeURIComponent(taskId)}/log`;
  return <LogView log={log} downloadUrl={url} fileName={`${place.label}.log`} silence="The task wrote nothing." />;
}

function NoLog({ place }: { readonly place: TaskPlace }): ReactNode {
  const why =
    place.state === "CACHED"
      ? "Nothing was run: the outputs come from an earlier task, and so does its log."
      : place.state === "SKIPPED"
        ? "The task was skipped, so there is no log."
        : place.state === "NONE" || place.state === "PENDING"
          ? "The task has not started."
          : "The task had no pod, so there is no log.";
  return <p className={classes["empty"]}>{why}</p>;
}
