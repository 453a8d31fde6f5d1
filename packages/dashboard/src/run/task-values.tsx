import type { ReactNode } from "react";
import type { RunTaskValues } from "@sluice/sdk";
import { formatValue } from "../app/format.ts";
import { ArtifactCard } from "../artifacts/artifact-card.tsx";
import type { TaskPlace } from "../graph/task-tree.ts";
import { Fact, Facts } from "./facts.tsx";
import classes from "./task-values.module.css";

/** What a task got and gave. What it gave comes first: that is what one looks for. */
export function TaskValues({ place: { task, state } }: { readonly place: TaskPlace }): ReactNode {
  if (task === undefined) return <p className={classes["none"]}>The task has not been reached, so nothing is known yet.</p>;
  const isPending = state === "PENDING" || state === "RUNNING";
  return (
    <div className={classes["values"]}>
      <Values title="Outputs" values={task.outputs} none={isPending ? "They come when the task ends." : "None."} />
      <Values title="Inputs" values={task.inputs} none="None." />
    </div>
  );
}

function Values({ title, values, none }: { readonly title: string; readonly values: RunTaskValues | undefined; readonly none: string }): ReactNode {
  const { parameters = [], artifacts = [] } = values ?? {};
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {parameters.length === 0 && artifacts.length === 0 ? <p className={classes["none"]}>{none}</p> : null}
      {parameters.length === 0 ? null : (
        <Facts>
          {parameters.map(({ parameter_key: name, value }) => (
            <Fact key={name} name={name} isCode>
              {formatValue(value)}
            </Fact>
          ))}
        </Facts>
      )}
      {artifacts.flatMap(({ artifact_key: key, artifacts: list = [] }) =>
        list.map((artifact, index) => (
          <ArtifactCard key={artifact.artifact_id} artifact={artifact} outputKey={list.length === 1 ? key : `${key}[${index}]`} />
        )),
      )}
    </section>
  );
}
