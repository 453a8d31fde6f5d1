import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import { ApiError } from "@sluice/kubernetes";
import type { JsonValue } from "@sluice/sdk";
import type { RunData } from "../api/run-data.ts";
import { useServices } from "../api/services.ts";
import { useRun } from "../api/use-run.ts";
import { Icon } from "../app/icons.tsx";
import { Problem } from "../app/problem.tsx";
import { lookOf } from "../app/states.ts";
import { usePageTitle } from "../app/use-page-title.ts";
import { scopeShowing } from "../graph/graph-model.ts";
import { readPipelineSpec } from "../graph/pipeline-spec.ts";
import { indexTasks } from "../graph/task-tree.ts";
import { GraphView } from "./graph-view.tsx";
import { RunDetails } from "./run-details.tsx";
import { RunFailure } from "./run-failure.tsx";
import { RunHeader, RunHeaderSkeleton } from "./run-header.tsx";
import type { RunSearch } from "./run-search.ts";
import { TaskPanel } from "./task-panel.tsx";
import { TaskTable } from "./task-table.tsx";
import classes from "./run-page.module.css";

/** One run: its graph, its tasks, and what the selected task got, gave and wrote. */
export function RunPage({ runId, search }: { readonly runId: string; readonly search: RunSearch }): ReactNode {
  const query = useRun(runId);
  usePageTitle(query.data === undefined ? "Run" : `${lookOf(query.data.run.state).label}: ${query.data.run.display_name}`);
  if (query.data !== undefined) return <LoadedRun data={query.data} search={search} />;
  if (query.isError) {
    const isMissing = query.error instanceof ApiError && query.error.code === 404;
    return (
      <Problem
        title={isMissing ? "There is no such run" : "The run cannot be shown"}
        message={query.error.message}
        {...(isMissing ? {} : { action: { label: "Try again", onClick: () => void query.refetch(), isBusy: query.isFetching } })}
      >
        {isMissing ? <p>It may have been deleted. The others are in the list of runs.</p> : null}
      </Problem>
    );
  }
  return (
    <div className={classes["page"]} aria-busy="true">
      <RunHeaderSkeleton />
    </div>
  );
}

function LoadedRun({ data, search }: { readonly data: RunData; readonly search: RunSearch }): ReactNode {
  const { run, tasks } = data;
  const navigate = useNavigate();
  const go = (change: { readonly [K in keyof RunSearch]?: RunSearch[K] | undefined }): void => {
    const next = Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value !== undefined));
    void navigate({ to: ".", search: next, replace: true });
  };
  const spec = usePipelineSpec(data);
  const component = useMemo(() => readPipelineSpec(spec.value), [spec.value]);
  const index = useMemo(() => indexTasks(component, tasks.values()), [component, tasks]);
  const { view = "graph", task: selectedPath, tab = "overview" } = search;
  const selected = selectedPath === undefined ? undefined : index.find(selectedPath);
  const select = (path: string | undefined): void => go({ task: path, ...(path === undefined ? { tab: undefined } : {}) });

  return (
    <div className={classes["page"]}>
      <RunHeader run={run} />
      <RunFailure run={run} index={index} onSelect={(path) => go({ task: path, tab: undefined, view: undefined, in: scopeShowing(index, path) })} />
      <Tabs
        value={view}
        onChange={(value) => go({ view: value === "graph" || value === null ? undefined : (value as "tasks") })}
        className={classes["tabs"] ?? ""}
        keepMounted={false}
      >
        <Tabs.List px={20}>
          <Tabs.Tab value="graph" leftSection={<Icon name="graph" size={14} />}>
            Graph
          </Tabs.Tab>
          <Tabs.Tab value="tasks" leftSection={<Icon name="table" size={14} />}>
            Tasks
          </Tabs.Tab>
          <Tabs.Tab value="details" leftSection={<Icon name="folder" size={14} />}>
            Details
          </Tabs.Tab>
        </Tabs.List>
      </Tabs>
      <div className={classes["split"]} data-open={selected !== undefined && view !== "details"}>
        <div className={classes["view"]} role="tabpanel" aria-label={view}>
          {view === "details" ? (
            <RunDetails run={run} spec={spec.value} />
          ) : spec.isLoading ? null : view === "tasks" ? (
            <TaskTable index={index} selected={selectedPath} onSelect={select} />
          ) : (
            <GraphView
              index={index}
              scopePath={search.in}
              selected={selectedPath}
              onSelect={select}
              onEnter={(path) => go({ in: path === "root" ? undefined : path, task: undefined, tab: undefined })}
            />
          )}
        </div>
        {selected === undefined || view === "details" ? null : (
          <TaskPanel
            key={selected.path}
            runId={run.run_id}
            place={selected}
            index={index}
            tab={tab}
            onTab={(next) => go({ tab: next === "overview" ? undefined : next })}
            onEnter={(path) => go({ in: path, view: undefined, task: undefined, tab: undefined })}
            onClose={() => select(undefined)}
          />
        )}
      </div>
    </div>
  );
}

/** A run's pipeline: its own, or that of the version it was made from. */
function usePipelineSpec({ run }: RunData): { readonly value: JsonValue | undefined; readonly isLoading: boolean } {
  const { pipelines } = useServices();
  const { pipeline_id: pipeline = "", pipeline_version_id: version = "" } = run.pipeline_version_reference ?? {};
  const isReferred = run.pipeline_spec === undefined && version !== "";
  const query = useQuery({
    queryKey: ["pipeline version", pipeline, version],
    queryFn: () => pipelines.getPipelineVersion(pipeline, version),
    enabled: isReferred,
    staleTime: Infinity,
  });
  return { value: run.pipeline_spec ?? query.data?.pipeline_spec, isLoading: isReferred && query.isPending };
}
