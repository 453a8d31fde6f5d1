import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Experiment, ListRunsOptions, Paged, Run } from "@sluice/sdk";
import { useServices } from "./services.ts";

/** One page of runs. */
export type RunsPage = Paged<"runs", Run>;

/** A page of the runs that fit. */
export function useRuns(options: ListRunsOptions): UseQueryResult<RunsPage> {
  const { pipelines } = useServices();
  return useQuery({
    queryKey: ["runs", options],
    queryFn: () => pipelines.listRuns(options),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.runs.some(({ finished_at }) => finished_at?.startsWith("1970") === true) === true ? 2000 : false),
  });
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
