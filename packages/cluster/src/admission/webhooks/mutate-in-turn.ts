import { ApiError, applyJsonPatch, isApiError, isJsonObject, jsonEqual, type Resource, type UnknownObject } from "@sluice/kubernetes";
import type { AdmissionRequest } from "../admission.ts";
import { withoutEmptyIdentity } from "../expressions.ts";
import { asEquivalent } from "../kinds.ts";
import type { Interest } from "../match.ts";
import { callHook, HookFailure, type CallOptions } from "./call-hook.ts";
import type { Hook } from "./hooks.ts";

const MUTATION = "mutation.webhook.admission.k8s.io/";

/** What a round of mutating webhooks takes. */
interface RoundOptions extends CallOptions {
  isConcerned(interest: Interest<Hook>, request: AdmissionRequest): boolean;
}

/**
 * Lets webhooks change a request's object, each seeing what those before it did; the first is known to be concerned. Those
 * that ask for it are called once more if others changed the object after them. The object to go on with.
 */
export async function mutateInTurn(
  interests: readonly Interest<Hook>[],
  request: AdmissionRequest,
  options: RoundOptions,
): Promise<UnknownObject | undefined> {
  let { object } = request;
  const called = new Set<Hook>();
  const outdated = new Set<Hook>();
  for (const round of [0, 1]) {
    for (const [i, interest] of interests.entries()) {
      const { judge } = interest;
      if (round === 1 && !outdated.has(judge)) continue;
      const now = object === request.object ? request : { ...request, object };
      if ((round > 0 || i > 0) && !options.isConcerned(interest, now)) continue;
      const next = await mutateBy(interest, now, round, options);
      const isChanged = !jsonEqual(next, object);
      object = next;
      if (isChanged && round === 0) {
        for (const earlier of called) outdated.add(earlier);
        called.clear();
      }
      if (judge.webhook.reinvocationPolicy === "IfNeeded") called.add(judge);
    }
    if (outdated.size === 0) break;
  }
  return object;
}

async function mutateBy(
  { judge, index, resource }: Interest<Hook>,
  request: AdmissionRequest,
  round: number,
  options: RoundOptions,
): Promise<UnknownObject | undefined> {
  const { configuration, webhook } = judge;
  const place = `round_${round}_index_${index}`;
  let mutated = request.object;
  try {
    const { patch } = await callHook(judge, request, resource, options);
    if (patch !== undefined) mutated = patched(request, patch, resource, webhook.name);
  } catch (error) {
    if (!(error instanceof HookFailure) || webhook.failurePolicy !== "Ignore") throw error;
    options.notes.annotate(`failed-open.${MUTATION}${place}`, webhook.name);
  }
  const isMutated = !jsonEqual(mutated, request.object);
  options.notes.annotate(`${MUTATION}${place}`, JSON.stringify({ configuration, webhook: webhook.name, mutated: isMutated }));
  return mutated;
}

/** The request's object after a webhook's patch, which is written for the version that the webhook sees. */
function patched(
  { object, operation, resource: asked }: AdmissionRequest,
  text: string,
  resource: Resource,
  webhook: string,
): UnknownObject | undefined {
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch (cause) {
    throw new HookFailure(
      webhook,
      `received undecodable patch in webhook response: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  if (!Array.isArray(patch) || patch.length === 0) return object;
  if (object === undefined) {
    throw internal(`admission webhook ${JSON.stringify(webhook)} attempted to modify the object, which is not supported for this operation`);
  }
  const shown = withoutEmptyIdentity(asEquivalent(object, asked, resource), operation);
  try {
    const next = applyJsonPatch(shown, patch);
    const metadata = isJsonObject(next) ? (next["metadata"] ?? {}) : undefined;
    if (!isJsonObject(next) || !isJsonObject(metadata)) throw internal(`the patch of admission webhook ${JSON.stringify(webhook)} leaves no object`);
    // Neither changes what it is, and both conversions rely on it.
    const { kind } = object;
    const { apiVersion = object.apiVersion } = shown;
    const whole: UnknownObject = { ...next, apiVersion: String(apiVersion), kind, metadata: { name: "", ...metadata } };
    return asEquivalent(whole, resource, asked);
  } catch (error) {
    throw isApiError(error) && error.reason !== "InternalError" ? internal(error.message) : error;
  }
}

function internal(message: string): ApiError {
  return new ApiError("InternalError", `Internal error occurred: ${message}`, { details: { causes: [{ message }] } });
}
