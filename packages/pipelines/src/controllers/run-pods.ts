import { defineController, type Controller } from "@sluice/controller";
import { RUN_LABEL } from "../engine/pod-types.ts";
import { PODS } from "../runner/kinds.ts";
import { isOver } from "../runner/pod-outcome.ts";
import type { Runner } from "../runner/runner.ts";

/** Tells the runner of every change of a run's pods. One watch serves all runs, and other components too. */
export function runPods(runner: Runner): Controller {
  return defineController({
    name: "pipelines-run-pods",
    for: PODS,
    when(before, after) {
      const pod = after ?? before;
      if (pod?.metadata.labels?.[RUN_LABEL] === undefined) return false;
      // A pod may end and be deleted in one breath; how it ended is in no cache then.
      if (after === undefined && isOver(pod)) runner.observe(pod);
      return true;
    },
    reconcile({ namespace, name }, { cache }) {
      const pod = cache.get(PODS, { namespace, name });
      if (pod === undefined) runner.vanished(namespace, name);
      else runner.observe(pod);
      return Promise.resolve();
    },
  });
}
