import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "@sluice/kubernetes";
import type { Notices } from "../app/notices.tsx";
import { isUnreachable, type Connection } from "./connection.ts";

declare module "@tanstack/react-query" {
  interface Register {
    /** What the user is told when an action succeeds or fails. */
    mutationMeta: { readonly failure: string; readonly success?: string };
  }
}

/** What a refused request is asked again: a server's own mistakes may pass, a user's never do. */
const RETRIES = 2;

/** The cache of all that the server said. What cannot be asked because the server is away is asked when it is back. */
export function createQueryClient({ connection, notices }: { readonly connection: Connection; readonly notices: Notices }): QueryClient {
  const noticeUnreachable = (error: unknown): void => {
    if (isUnreachable(error)) connection.check();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError: noticeUnreachable }),
    mutationCache: new MutationCache({
      onError(error, _variables, _result, { meta }) {
        noticeUnreachable(error);
        if (meta !== undefined) notices.add({ kind: "failure", title: meta.failure, detail: error.message });
      },
      onSuccess(_data, _variables, _result, { meta }) {
        if (meta?.success !== undefined) notices.add({ kind: "success", title: meta.success });
      },
    }),
    defaultOptions: {
      queries: {
        retry(failures, error) {
          if (isUnreachable(error)) {
            connection.check();
            return true;
          }
          return error instanceof ApiError && error.code >= 500 && failures < RETRIES;
        },
        retryDelay: (failures) => Math.min(300 * 2 ** failures, 5000),
      },
      mutations: { networkMode: "always" },
    },
  });
}
