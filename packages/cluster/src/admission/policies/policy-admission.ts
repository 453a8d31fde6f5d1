import { ApiError, type Resource, type StatusReason, type UnknownObject } from "@sluice/kubernetes";
import { detailsOf, notFound, qualified } from "../../api-server/api-errors.ts";
import type { AdmissionNotes, AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { bindingsOf } from "../expressions.ts";
import { isConfiguration } from "../kinds.ts";
import { Interests, type Interest } from "../match.ts";
import type { HookOptions } from "../webhooks/configured-hooks.ts";
import { boundPolicies, type Binding, type BoundPolicy } from "./compiled-policy.ts";
import { evaluatePolicy, type PolicyVerdict } from "./evaluate-policy.ts";
import { Misconfigured, paramResource, paramsOf } from "./policy-params.ts";

const POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io";
const BINDINGS = "validatingadmissionpolicybindings.admissionregistration.k8s.io";
const MAX_ANNOTATION_LENGTH = 10 * 1024;

/** A reason to deny a request. */
interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string;
}

/** Judges requests by the policies in the store, which it compiles as they change. */
export class PolicyAdmission implements AdmissionPlugin, Disposable {
  readonly name = "ValidatingAdmissionPolicy";
  readonly #options: HookOptions;
  readonly #stop: readonly (() => void)[];
  #served: readonly Resource[] = [];
  #interests: Interests<BoundPolicy> | undefined;

  constructor(options: HookOptions) {
    this.#options = options;
    this.#stop = [POLICIES, BINDINGS].map((table) =>
      options.store.onChange(table, () => {
        this.#interests = undefined;
      }),
    );
  }

  handles(request: AdmissionRequest): boolean {
    return this.#interested(request).length > 0;
  }

  validate(request: AdmissionRequest, notes: AdmissionNotes): void {
    const denials = this.#interested(request).flatMap((one) => this.#judge(one, request, notes));
    const [first] = denials;
    if (first !== undefined) throw refusalOf(request, first);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stop) stop();
  }

  #interested(request: AdmissionRequest): readonly Interest<BoundPolicy>[] {
    if (isConfiguration(request)) return [];
    const { store, resources, logger } = this.#options;
    const served = resources();
    if (served !== this.#served) {
      this.#served = served;
      this.#interests = undefined;
    }
    this.#interests ??= new Interests(boundPolicies(store.list(POLICIES).items, store.list(BINDINGS).items, logger), served);
    return this.#interests.of(request);
  }

  /** Why a policy denies a request; what it only warns of or annotates is noted. */
  #judge({ judge, resource }: Interest<BoundPolicy>, request: AdmissionRequest, notes: AdmissionNotes): readonly Denial[] {
    const { store } = this.#options;
    if (!judge.matcher.matches(request, store, this.#served)) return [];
    const { metadata, spec } = judge.policy;
    const mayFail = spec.failurePolicy === "Ignore";
    const denials: Denial[] = [];
    const annotations = new Map<string, Set<string>>();
    const denial = (binding: string | undefined, message: string, reason = "Invalid"): Denial => ({
      policy: metadata.name,
      binding,
      message,
      reason,
    });
    let params: Resource | undefined;
    try {
      params = spec.paramKind && paramResource(spec.paramKind, this.#served);
    } catch (error) {
      if (!(error instanceof Misconfigured)) throw error;
      return mayFail ? [] : [denial(undefined, `failed to configure policy: ${error.message}`)];
    }
    for (const { binding, matcher } of judge.bindings) {
      const { name } = binding.metadata;
      if (matcher !== undefined && (matcher.interest(request, this.#served) === undefined || !matcher.matches(request, store, this.#served)))
        continue;
      try {
        for (const param of paramsOf(params, binding.spec.paramRef, { namespace: request.namespace, store })) {
          const verdict = this.#evaluate(judge, request, resource, param);
          denials.push(...this.#act(verdict, binding, denial, notes));
          for (const { key, value } of verdict.annotations)
            annotations.set(key, (annotations.get(key) ?? new Set()).add(value.slice(0, MAX_ANNOTATION_LENGTH)));
        }
      } catch (error) {
        if (!(error instanceof Misconfigured)) throw error;
        if (!mayFail) denials.push(denial(name, `failed to configure binding: ${error.message}`));
      }
    }
    for (const [key, values] of annotations) notes.annotate(`${metadata.name}/${key}`, [...values].join(", "));
    return denials;
  }

  #evaluate(judge: BoundPolicy, request: AdmissionRequest, resource: Resource, params: UnknownObject | undefined): PolicyVerdict {
    const { authorizer } = this.#options;
    const namespace = this.#namespaceOf(request);
    return evaluatePolicy(
      judge,
      bindingsOf(request, resource, { authorizer, params, namespace }),
      bindingsOf(request, resource, { authorizer, params }),
    );
  }

  #namespaceOf({ namespace: name, resource }: AdmissionRequest): UnknownObject | undefined {
    if (name === undefined || (resource.group === "" && resource.kind === "Namespace")) return undefined;
    const namespace = this.#options.store.get("namespaces", { name });
    if (namespace === undefined) throw notFound({ plural: "namespaces", group: "" }, name);
    return namespace;
  }

  /** Does with a verdict what the binding says; the denials. */
  #act(
    { violations, annotationErrors }: PolicyVerdict,
    { metadata: { name }, spec }: Binding,
    denial: (binding: string, message: string, reason?: string) => Denial,
    notes: AdmissionNotes,
  ): readonly Denial[] {
    const { policyName = "", validationActions = [] } = spec;
    const denials: Denial[] = [];
    for (const { index, message, reason } of violations) {
      if (validationActions.includes("Deny")) denials.push(denial(name, message, reason));
      if (validationActions.includes("Warn")) {
        notes.warn(`Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${name}': ${message}`);
      }
      if (validationActions.includes("Audit")) {
        const failure = { message, policy: policyName, binding: name, expressionIndex: index, validationActions };
        notes.annotate("validation.policy.admission.k8s.io/validation_failure", JSON.stringify([failure]));
      }
    }
    return [...denials, ...annotationErrors.map((message) => denial(name, message))];
  }
}

function refusalOf({ resource, name, object }: AdmissionRequest, { policy, binding, message, reason }: Denial): ApiError {
  const by = binding === undefined ? "" : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const shown = [name, object?.metadata.generateName, "Unknown"].find((one) => one !== undefined && one !== "") ?? "";
  return new ApiError(reason as StatusReason, `${qualified(resource)} ${JSON.stringify(shown)} is forbidden: ${text}`, {
    code: CODES[reason] ?? 422,
    details: { ...detailsOf(resource, shown), causes: [{ message: text }] },
  });
}

const CODES: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };
