import type { Clock } from "@sluice/controller";
import type { UnknownObject } from "@sluice/kubernetes";
import type { AdmissionNotes, AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { askAll } from "./ask-all.ts";
import type { CallOptions } from "./call-hook.ts";
import { ConfiguredHooks, type HookOptions } from "./configured-hooks.ts";
import { mutateInTurn } from "./mutate-in-turn.ts";
import { WebhookClient } from "./webhook-client.ts";

/** What webhooks are found and asked by. */
export interface WebhookOptions extends HookOptions {
  readonly clock: Clock;
  readonly newId: () => string;
}

/** The plugins that ask the webhooks which are configured in the store. */
export interface WebhookAdmission extends Disposable {
  readonly mutating: AdmissionPlugin;
  readonly validating: AdmissionPlugin;
}

/** Asks the webhooks which are configured in the store, mutating ones one after the other, validating ones at once. */
export function webhookAdmission(options: WebhookOptions): WebhookAdmission {
  const client = new WebhookClient(options.store, options.clock);
  const stack = new DisposableStack();
  stack.use(client);
  const mutating = stack.use(new ConfiguredHooks("mutatingwebhookconfigurations.admissionregistration.k8s.io", options));
  const validating = stack.use(new ConfiguredHooks("validatingwebhookconfigurations.admissionregistration.k8s.io", options));
  const calling = (notes: AdmissionNotes, isMutating: boolean): CallOptions => ({ client, newId: options.newId, notes, isMutating });

  const mutate = (request: AdmissionRequest, notes: AdmissionNotes): Promise<UnknownObject | undefined> | UnknownObject | undefined => {
    const interests = mutating.interests(request);
    const first = interests.findIndex((one) => mutating.isConcerned(one, request));
    if (first < 0) return request.object;
    return mutateInTurn(interests.slice(first), request, { ...calling(notes, true), isConcerned: (one, now) => mutating.isConcerned(one, now) });
  };

  return {
    mutating: {
      name: "MutatingAdmissionWebhook",
      handles: (request) => mutating.interests(request).length > 0,
      mutate: (request, notes) => {
        const mutated = mutate(request, notes);
        return mutated instanceof Promise ? mutated.then((object) => object ?? request.object) : request.object;
      },
      // What is about to go cannot be changed, but it may be refused.
      validate: (request, notes) => {
        const judged = request.operation === "DELETE" ? mutate(request, notes) : undefined;
        return judged instanceof Promise ? judged.then(() => undefined) : undefined;
      },
    },
    validating: {
      name: "ValidatingAdmissionWebhook",
      handles: (request) => validating.interests(request).length > 0,
      validate: (request, notes) => {
        const concerned = validating.interests(request).filter((one) => validating.isConcerned(one, request));
        return concerned.length === 0 ? undefined : askAll(concerned, request, calling(notes, false));
      },
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}
