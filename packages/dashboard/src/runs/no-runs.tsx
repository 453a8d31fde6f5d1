import { Button, CopyButton } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./no-runs.module.css";

interface NoRunsProps {
  readonly isFiltered: boolean;
  readonly isArchive: boolean;
  readonly name: string | undefined;
  readonly onClear: () => void;
}

/** An empty list that says how to fill it. */
export function NoRuns({ isFiltered, isArchive, name, onClear }: NoRunsProps): ReactNode {
  if (isFiltered) {
    return (
      <div className={classes["empty"]}>
        <h2>{name !== undefined ? `No run's name contains “${name}”` : isArchive ? "Nothing is archived" : "No runs yet"}</h2>
        <p>
          {isArchive && name === undefined
            ? "A run that is archived keeps its records and artifacts, and leaves the list of current runs."
            : "Runs of other names are still there."}
        </p>
        <Button variant="default" size="sm" onClick={onClear}>
          Show all current runs
        </Button>
      </div>
    );
  }
  return (
    <div className={classes["empty"]}>
      <h2>No runs yet</h2>
      <p>Start one in a terminal; it appears here at once.</p>
      <ol className={classes["steps"]}>
        <li>
          <span>Train a small digit classifier, start to finish</span>
          <Command text="npm run demo" />
        </li>
        <li>
          <span>Run a pipeline of your own, compiled by the TypeScript or the Python SDK</span>
          <Command text="npx sluice run submit pipeline.yaml" />
        </li>
        <li>
          <span>Or use Kubeflow&apos;s own client</span>
          <Command text={`kfp.Client(host="${window.location.origin}").create_run_from_pipeline_package("pipeline.yaml")`} />
        </li>
      </ol>
    </div>
  );
}

function Command({ text }: { readonly text: string }): ReactNode {
  return (
    <span className={classes["command"]}>
      <code>{text}</code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button variant="subtle" size="compact-xs" onClick={copy} aria-label={`Copy ${text}`}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </span>
  );
}
