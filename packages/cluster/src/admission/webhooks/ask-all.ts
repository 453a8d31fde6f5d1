import type { AdmissionRequest } from "../admission.ts";
import type { Interest } from "../match.ts";
import { callHook, HookFailure, type CallOptions } from "./call-hook.ts";
import type { Hook } from "./hooks.ts";

/** Asks validating webhooks about a request, all at once; throws what the first of them in order refuses with. */
export async function askAll(concerned: readonly Interest<Hook>[], request: AdmissionRequest, options: CallOptions): Promise<void> {
  const outcomes = await Promise.allSettled(
    concerned.map(async ({ judge, resource }, index) => {
      try {
        await callHook(judge, request, resource, options);
      } catch (error) {
        if (!(error instanceof HookFailure) || judge.webhook.failurePolicy !== "Ignore") throw error;
        options.notes.annotate(`failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`, judge.webhook.name);
      }
    }),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}
