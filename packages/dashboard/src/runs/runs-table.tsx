import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Experiment, Run } from "@sluice/sdk";
import { timeOf } from "../app/format.ts";
import { StateBadge } from "../app/state-badge.tsx";
import { Ago, Duration } from "../app/times.tsx";
import { RunMenu } from "../run/run-menu.tsx";
import classes from "./runs-table.module.css";

interface RunsTableProps {
  /** Absent while they are loaded. */
  readonly runs: readonly Run[] | undefined;
  readonly experiments: ReadonlyMap<string, Experiment> | undefined;
  /** What is shown belongs to another page, whose successor is on its way. */
  readonly isStale: boolean;
  readonly rows: number;
}

/** A page of runs; each row is a link as a whole. */
export function RunsTable({ runs, experiments, isStale, rows }: RunsTableProps): ReactNode {
  return (
    <div className={classes["frame"]} aria-busy={runs === undefined || isStale} data-stale={isStale}>
      <table className={classes["table"]}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className={classes["state"]}>
              State
            </th>
            <th scope="col" className={classes["experiment"]}>
              Experiment
            </th>
            <th scope="col" className={classes["time"]}>
              Duration
            </th>
            <th scope="col" className={classes["created"]}>
              Created
            </th>
            <th scope="col" className={classes["menu"]}>
              <span className={classes["unseen"]}>Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {runs === undefined ? (
            <Skeletons rows={Math.min(rows, 8)} />
          ) : (
            runs.map((run) => <Row key={run.run_id} run={run} experiments={experiments} />)
          )}
        </tbody>
      </table>
    </div>
  );
}

function Row({ run, experiments }: { readonly run: Run; readonly experiments: ReadonlyMap<string, Experiment> | undefined }): ReactNode {
  const created = timeOf(run.created_at);
  return (
    <tr>
      <td className={classes["name"]}>
        <Link to="/runs/details/$runId" params={{ runId: run.run_id }} className={classes["link"] ?? ""} title={run.display_name}>
          {run.display_name}
        </Link>
      </td>
      <td className={classes["state"]}>
        <StateBadge state={run.state} />
      </td>
      <td className={classes["experiment"]}>{experiments?.get(run.experiment_id ?? "")?.display_name ?? "–"}</td>
      <td className={classes["time"]}>
        <Duration start={created} end={timeOf(run.finished_at)} />
      </td>
      <td className={classes["created"]}>
        <Ago time={created} />
      </td>
      <td className={classes["menu"]}>
        <RunMenu run={run} />
      </td>
    </tr>
  );
}

function Skeletons({ rows }: { readonly rows: number }): ReactNode {
  return Array.from({ length: rows }, (_, index) => (
    <tr key={index}>
      <td className={classes["name"]}>
        <Skeleton height={12} width={`${35 + ((index * 17) % 35)}%`} />
      </td>
      <td className={classes["state"]}>
        <Skeleton height={22} width={88} radius="xl" />
      </td>
      <td className={classes["experiment"]}>
        <Skeleton height={12} width={70} />
      </td>
      <td className={classes["time"]}>
        <Skeleton height={12} width={44} />
      </td>
      <td className={classes["created"]}>
        <Skeleton height={12} width={64} />
      </td>
      <td className={classes["menu"]} />
    </tr>
  ));
}
