import { useMutation, useQueryClient, type UseMutationResult } from "@tanstack/react-query";
import type { Run } from "@sluice/sdk";
import { runKey } from "./use-run.ts";
import { useServices } from "./services.ts";

/** What can be done to a run. */
export type RunAction = "terminate" | "retry" | "archive" | "unarchive" | "delete";

const WORDS: Readonly<Record<RunAction, { readonly failure: string; readonly success: string }>> = {
  terminate: { failure: "The run could not be terminated", success: "The run is being terminated" },
  retry: { failure: "The run could not be retried", success: "What failed is started again" },
  archive: { failure: "The run could not be archived", success: "The run is archived" },
  unarchive: { failure: "The run could not be restored", success: "The run is restored" },
  delete: { failure: "The run could not be deleted", success: "The run is deleted" },
};

/** Does `action` to the run, tells how it went, and brings what is shown up to date. */
export function useRunAction(runId: string, action: RunAction): UseMutationResult<void, Error, void> {
  const { pipelines } = useServices();
  const queryClient = useQueryClient();
  return useMutation({
    mutationKey: ["run", runId, action],
    mutationFn: () => (action === "delete" ? pipelines.deleteRun(runId) : pipelines[action](runId)),
    meta: WORDS[action],
    async onSuccess() {
      if (action === "delete") queryClient.removeQueries({ queryKey: runKey(runId) });
      else await queryClient.invalidateQueries({ queryKey: runKey(runId) });
      await queryClient.invalidateQueries({ queryKey: ["runs"] });
    },
  });
}

/** What can be done to a run as it is. */
export function actionsFor({ state, storage_state }: Pick<Run, "state" | "storage_state">): readonly RunAction[] {
  const isOver = state === "SUCCEEDED" || state === "FAILED" || state === "CANCELED" || state === "SKIPPED";
  return [
    ...(state === "PENDING" || state === "RUNNING" || state === "PAUSED" ? (["terminate"] as const) : []),
    ...(state === "FAILED" || state === "CANCELED" ? (["retry"] as const) : []),
    ...(storage_state === "ARCHIVED" ? (["unarchive"] as const) : isOver ? (["archive"] as const) : []),
    "delete",
  ];
}
