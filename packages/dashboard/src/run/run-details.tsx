import type { ReactNode } from "react";
import type { JsonValue, Run } from "@sluice/sdk";
import { formatTime, formatValue, timeOf } from "../app/format.ts";
import { AnchorLink } from "../app/links.tsx";
import { StateBadge } from "../app/state-badge.tsx";
import { Fact, Facts } from "./facts.tsx";
import classes from "./run-details.module.css";

/** What a run was started with, what became of it, and the pipeline itself. */
export function RunDetails({ run, spec }: { readonly run: Run; readonly spec: JsonValue | undefined }): ReactNode {
  const parameters = Object.entries(run.runtime_config?.parameters ?? {});
  const pipelineId = run.pipeline_version_reference?.pipeline_id;
  const [created, finished] = [timeOf(run.created_at), timeOf(run.finished_at)];
  return (
    <div className={classes["details"]}>
      <section>
        <h2>Run</h2>
        <Facts>
          <Fact name="Run id" isCode>
            {run.run_id}
          </Fact>
          {run.description === undefined ? null : <Fact name="Description">{run.description}</Fact>}
          {pipelineId === undefined ? null : (
            <Fact name="Pipeline">
              <AnchorLink to="/pipelines/details/$pipelineId" params={{ pipelineId }} inherit>
                {pipelineId}
              </AnchorLink>
            </Fact>
          )}
          {created === undefined ? null : <Fact name="Created">{formatTime(created)}</Fact>}
          {finished === undefined ? null : <Fact name="Finished">{formatTime(finished)}</Fact>}
          {run.runtime_config?.pipeline_root === undefined ? null : (
            <Fact name="Artifacts go to" isCode>
              {run.runtime_config.pipeline_root}
            </Fact>
          )}
        </Facts>
      </section>
      <section>
        <h2>Parameters</h2>
        {parameters.length === 0 ? (
          <p>The run was started without parameters.</p>
        ) : (
          <Facts>
            {parameters.map(([name, value]) => (
              <Fact key={name} name={name} isCode>
                {formatValue(value)}
              </Fact>
            ))}
          </Facts>
        )}
      </section>
      <section>
        <h2>History</h2>
        <ol className={classes["history"]}>
          {(run.state_history ?? []).map(({ state, update_time: time }, index) => (
            <li key={index}>
              <StateBadge state={state} />
              <span>{time === undefined ? "" : formatTime(Date.parse(time))}</span>
            </li>
          ))}
        </ol>
      </section>
      {spec === undefined ? null : (
        <details className={classes["spec"]}>
          <summary>Pipeline specification</summary>
          <pre tabIndex={0}>{JSON.stringify(spec, null, 2)}</pre>
        </details>
      )}
    </div>
  );
}
