import { Button, Skeleton } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import type { Run } from "@sluice/sdk";
import { actionsFor, useRunAction } from "../api/use-run-actions.ts";
import { useExperiments } from "../api/use-runs.ts";
import { timeOf } from "../app/format.ts";
import { Icon } from "../app/icons.tsx";
import { AnchorLink } from "../app/links.tsx";
import { StateBadge } from "../app/state-badge.tsx";
import { Ago, Duration } from "../app/times.tsx";
import { ConfirmAction } from "./confirm-action.tsx";
import { ACTION_LOOKS, RunMenu } from "./run-menu.tsx";
import classes from "./run-header.module.css";

/** What run it is, how it stands, and what can be done. */
export function RunHeader({ run }: { readonly run: Run }): ReactNode {
  const navigate = useNavigate();
  const experiments = useExperiments();
  const created = timeOf(run.created_at);
  const experimentId = run.experiment_id ?? "";
  const experiment = experiments.data?.get(experimentId);
  return (
    <header className={classes["header"]}>
      <div className={classes["titles"]}>
        <AnchorLink to="/runs" size="sm" className={classes["up"] ?? ""}>
          Runs
        </AnchorLink>
        <div className={classes["line"]}>
          <h1 title={run.display_name}>{run.display_name}</h1>
          <StateBadge state={run.state} />
          {run.storage_state === "ARCHIVED" ? <span className={classes["archived"]}>Archived</span> : null}
        </div>
        <div className={classes["facts"]}>
          <span>
            <Icon name="clock" size={14} />
            <Duration start={created} end={timeOf(run.finished_at)} />
          </span>
          <span>
            started <Ago time={created} />
          </span>
          {experiment === undefined ? null : (
            <span>
              in{" "}
              <AnchorLink to="/experiments/details/$experimentId" params={{ experimentId }} inherit>
                {experiment.display_name}
              </AnchorLink>
            </span>
          )}
        </div>
      </div>
      <div className={classes["actions"]}>
        <MainAction run={run} />
        <RunMenu run={run} without={["terminate", "retry"]} onDeleted={() => void navigate({ to: "/runs" })} />
      </div>
    </header>
  );
}

/** The one thing that a run in this state most likely needs. */
function MainAction({ run }: { readonly run: Run }): ReactNode {
  const actions = actionsFor(run);
  const retry = useRunAction(run.run_id, "retry");
  const [isAsked, setAsked] = useState(false);
  if (actions.includes("retry")) {
    return (
      <Button size="sm" leftSection={<Icon name="retry" />} onClick={() => retry.mutate()} loading={retry.isPending}>
        {ACTION_LOOKS.retry.label}
      </Button>
    );
  }
  return (
    <>
      {actions.includes("terminate") ? (
        <Button size="sm" variant="default" leftSection={<Icon name="stop" />} onClick={() => setAsked(true)}>
          {ACTION_LOOKS.terminate.label}
        </Button>
      ) : null}
      {isAsked ? <ConfirmAction run={run} action="terminate" onClose={() => setAsked(false)} /> : null}
    </>
  );
}

/** What the header looks like while the run is loaded. */
export function RunHeaderSkeleton(): ReactNode {
  return (
    <header className={classes["header"]}>
      <div className={classes["titles"]}>
        <Skeleton height={12} width={40} my={5} />
        <div className={classes["line"]}>
          <Skeleton height={22} width={220} />
          <Skeleton height={22} width={92} radius="xl" />
        </div>
        <Skeleton height={12} width={180} my={5} />
      </div>
    </header>
  );
}
