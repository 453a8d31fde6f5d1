import { createHashHistory, createRootRoute, createRoute, createRouter, redirect, type AnyRouter } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { PipelinePage } from "../pipelines/pipeline-page.tsx";
import { RunPage } from "../run/run-page.tsx";
import { readRunSearch } from "../run/run-search.ts";
import { readRunsSearch, RunsPage } from "../runs/runs-page.tsx";
import { PageError, Problem } from "./problem.tsx";
import { Shell } from "./shell.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Problem title="There is no such page">
      <p>
        <a href="#/runs">To the runs</a>
      </p>
    </Problem>
  ),
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/runs", replace: true });
  },
});

const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: readRunsSearch,
  component: function Runs(): ReactNode {
    return <RunsPage search={runs.useSearch()} />;
  },
});

const experiment = createRoute({
  getParentRoute: () => root,
  path: "/experiments/details/$experimentId",
  validateSearch: readRunsSearch,
  component: function Experiment(): ReactNode {
    return <RunsPage search={experiment.useSearch()} experimentId={experiment.useParams().experimentId} />;
  },
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/details/$runId",
  validateSearch: readRunSearch,
  component: function Run(): ReactNode {
    const { runId } = run.useParams();
    return <RunPage key={runId} runId={runId} search={run.useSearch()} />;
  },
});

const pipeline = createRoute({
  getParentRoute: () => root,
  path: "/pipelines/details/$pipelineId",
  component: function Pipeline(): ReactNode {
    return <PipelinePage pipelineId={pipeline.useParams().pipelineId} />;
  },
});

const pipelineVersion = createRoute({
  getParentRoute: () => root,
  path: "/pipelines/details/$pipelineId/version/$versionId",
  component: function PipelineVersion(): ReactNode {
    const { pipelineId, versionId } = pipelineVersion.useParams();
    return <PipelinePage pipelineId={pipelineId} versionId={versionId} />;
  },
});

const tree = root.addChildren([home, runs, experiment, run, pipeline, pipelineVersion]);

/** The pages by their addresses. They live in the hash, where Kubeflow's clients print them. */
export function createPages(): AnyRouter {
  return createRouter({ routeTree: tree, history: createHashHistory(), defaultErrorComponent: PageError });
}
