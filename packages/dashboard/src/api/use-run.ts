import { useDocumentVisibility } from "@mantine/hooks";
import { useQuery, useQueryClient, type QueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect } from "react";
import { isFinished, type Run } from "@sluice/sdk";
import { keepReading } from "./keep-reading.ts";
import { mergeRun, runDataOf, type RunData, type RunEvent } from "./run-data.ts";
import { useServices, type Services } from "./services.ts";

/** What comes within this time is drawn at once. */
const FRAME_MS = 50;

/** The key of a run in the cache. */
export function runKey(runId: string): readonly ["run", string] {
  return ["run", runId];
}

/**
 * A run with its tasks. Until it is over, the server's stream keeps it up to date, and nothing is polled. A hidden page gives its
 * stream back, because a browser holds only six connections to a server, however many pages are open.
 */
export function useRun(runId: string): UseQueryResult<RunData> {
  const services = useServices();
  const queryClient = useQueryClient();
  const isVisible = useDocumentVisibility() === "visible";
  const query = useQuery({
    queryKey: runKey(runId),
    queryFn: async () => runDataOf(await services.pipelines.getRun(runId)),
    structuralSharing: false,
    // An answer that was on its way when an event came would be older than what is here.
    refetchOnWindowFocus: ({ state }) => !isLive(state.data?.run),
    refetchOnReconnect: ({ state }) => !isLive(state.data?.run),
    staleTime: ({ state }) => (isLive(state.data?.run) ? Infinity : 0),
  });
  const isStreaming = isVisible && isLive(query.data?.run);
  useEffect(() => {
    if (!isStreaming) return;
    const stop = new AbortController();
    void followRun(runId, { ...services, queryClient, signal: stop.signal });
    return () => stop.abort();
  }, [runId, isStreaming, services, queryClient]);
  return query;
}

function isLive(run: Run | undefined): boolean {
  return run !== undefined && !isFinished(run);
}

interface FollowOptions extends Services {
  readonly queryClient: QueryClient;
  readonly signal: AbortSignal;
}

/** Brings the run's changes into the cache until it is over. */
async function followRun(runId: string, { pipelines, connection, queryClient, signal }: FollowOptions): Promise<void> {
  const batch: RunEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const events = batch.splice(0);
    if (!signal.aborted && events.length > 0) queryClient.setQueryData<RunData>(runKey(runId), (data) => mergeRun(data, events));
  };
  const read = async (onRead: () => void): Promise<void> => {
    let isWhole = true;
    for await (const change of pipelines.watch(runId, { signal })) {
      onRead();
      batch.push({ ...change, isWhole });
      isWhole = false;
      timer ??= setTimeout(flush, FRAME_MS);
    }
  };
  try {
    await keepReading(read, { connection, signal });
    flush();
  } catch {
    // It was refused, so the run is gone or no longer ours: asking for it again says which.
    await queryClient.invalidateQueries({ queryKey: runKey(runId) });
  }
}
