import { ApiError, STATUS_CODES, type Resource, type StatusDetails, type StatusReason } from "@sluice/kubernetes";
import { badRequest, forbidden } from "../../api-server/api-errors.ts";
import type { AdmissionNotes, AdmissionRequest } from "../admission.ts";
import { bindingsOf, meetsConditions, type ImmediateAuthorizer } from "../expressions.ts";
import type { Hook } from "./hooks.ts";
import { InvalidAnswer, readReview, reviewOf, reviewVersion, type ReviewAnswer } from "./review.ts";
import { CallFailure, type WebhookClient } from "./webhook-client.ts";

/** A webhook could not be asked, which its failure policy may forgive. */
export class HookFailure extends ApiError {
  constructor(webhook: string, why: string, cause?: unknown) {
    const message = `failed calling webhook ${JSON.stringify(webhook)}: ${why}`;
    super("InternalError", `Internal error occurred: ${message}`, { details: { causes: [{ message }] }, cause });
  }
}

/** Whether a webhook's match conditions let a request through to it; throws Forbidden if nobody can tell and failures count. */
export function isConcerned(hook: Hook, request: AdmissionRequest, resource: Resource, authorizer: ImmediateAuthorizer): boolean {
  if (hook.conditions.length === 0) return true;
  const met = meetsConditions(hook.conditions, bindingsOf(request, resource, { authorizer }));
  if ("meets" in met) return met.meets;
  if (hook.webhook.failurePolicy === "Ignore") return false;
  throw forbidden(request.resource, request.name, met.error);
}

/**
 * Asks a webhook about a request. Throws what it refuses with, and a HookFailure if it gives no proper answer. What it wants
 * told besides is noted.
 */
export async function callHook(
  hook: Hook,
  request: AdmissionRequest,
  resource: Resource,
  { client, newId, notes, isMutating }: CallOptions,
): Promise<ReviewAnswer> {
  const { webhook } = hook;
  const { name, sideEffects, clientConfig, timeoutSeconds = 10 } = webhook;
  if (request.dryRun && sideEffects !== "None" && sideEffects !== "NoneOnDryRun") {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  const version = reviewVersion(webhook.admissionReviewVersions);
  if (version === undefined) {
    throw new HookFailure(name, "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)");
  }
  const uid = newId();
  const answer = await ask();
  for (const [key, value] of Object.entries(answer.annotations)) notes.annotate(`${name}/${key}`, value);
  for (const warning of answer.warnings) notes.warn(warning);
  if (!answer.allowed) throw refusalOf(name, answer.result);
  return answer;

  async function ask(): Promise<ReviewAnswer> {
    try {
      return readReview(await client.post(clientConfig, reviewOf(request, resource, { uid, version: version ?? "" }), { timeoutSeconds }), {
        uid,
        version: version ?? "",
        isMutating,
      });
    } catch (error) {
      if (error instanceof CallFailure) throw new HookFailure(name, `failed to call webhook: ${error.message}`, error);
      if (error instanceof InvalidAnswer) throw new HookFailure(name, `received invalid webhook response: ${error.message}`, error);
      throw error;
    }
  }
}

/** What calling a webhook takes. */
export interface CallOptions {
  readonly client: WebhookClient;
  readonly newId: () => string;
  readonly notes: AdmissionNotes;
  readonly isMutating: boolean;
}

/** The error that a webhook's refusal is: its own status, with its name before the message. */
function refusalOf(webhook: string, { code, message, reason, details }: Readonly<Record<string, unknown>>): ApiError {
  const why = [message, reason].find((one) => typeof one === "string" && one !== "");
  const text = `admission webhook ${JSON.stringify(webhook)} denied the request${typeof why === "string" ? `: ${why}` : " without explanation"}`;
  return new ApiError((typeof reason === "string" ? reason : "") as StatusReason, text, {
    code: typeof code === "number" && code >= STATUS_CODES.BadRequest ? code : STATUS_CODES.BadRequest,
    ...(typeof details === "object" && details !== null ? { details: details as StatusDetails } : {}),
  });
}
