import { useDocumentVisibility } from "@mantine/hooks";
import { keepPreviousData, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Experiment, ListRunsOptions, Paged, Run } from "@sluice/sdk";
import { keepReading } from "./keep-reading.ts";
import { useServices } from "./services.ts";

/** One page of runs. */
export type RunsPage = Paged<"runs", Run>;

/** What changes within this time is asked for at once. */
const BATCH_MS = 250;

/** A page of the runs that fit. The server tells when one of them changes; nothing is polled. */
export function useRuns(options: ListRunsOptions): UseQueryResult<RunsPage> {
  const { pipelines, connection } = useServices();
  const queryClient = useQueryClient();
  const isVisible = useDocumentVisibility() === "visible";
  useEffect(() => {
    if (!isVisible) return;
    const stop = new AbortController();
    const { signal } = stop;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void queryClient.invalidateQueries({ queryKey: ["runs"] });
        void queryClient.invalidateQueries({ queryKey: ["experiments"] });
      }, BATCH_MS);
    };
    let isFirst = true;
    const read = async (onRead: () => void): Promise<void> => {
      // What happened while the connection was down was told to nobody.
      if (!isFirst) refresh();
      isFirst = false;
      for await (const _run of pipelines.watchRuns({ signal })) {
        onRead();
        refresh();
      }
    };
    keepReading(read, { connection, signal }).catch(() => undefined); // Whoever may not watch may not list, and the list says so.
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [isVisible, pipelines, connection, queryClient]);
  return useQuery({ queryKey: ["runs", options], queryFn: () => pipelines.listRuns(options), placeholderData: keepPreviousData });
}

const MOST_EXPERIMENTS = 200;

/** The experiments by id, for their names. */
export function useExperiments(): UseQueryResult<ReadonlyMap<string, Experiment>> {
  const { pipelines } = useServices();
  return useQuery({
    queryKey: ["experiments"],
    queryFn: () => pipelines.listExperiments({ pageSize: MOST_EXPERIMENTS }),
    select: byId,
    staleTime: 30_000,
  });
}

function byId({ experiments }: Paged<"experiments", Experiment>): ReadonlyMap<string, Experiment> {
  return new Map(experiments.map((experiment) => [experiment.experiment_id, experiment]));
}
