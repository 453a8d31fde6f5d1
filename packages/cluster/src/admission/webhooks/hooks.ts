import type { Logger } from "@sluice/controller";
import { isApiError, type MutatingWebhook, type MutatingWebhookConfiguration, type UnknownObject } from "@sluice/kubernetes";
import { compileConditions, type CompiledCondition } from "../expressions.ts";
import { RequestMatcher } from "../match.ts";

/** A webhook of either kind, compiled. */
export interface Hook {
  /** The name of its configuration. */
  readonly configuration: string;
  readonly webhook: MutatingWebhook;
  readonly matcher: RequestMatcher;
  readonly conditions: readonly CompiledCondition[];
}

const compiled = new WeakMap<UnknownObject, readonly Hook[]>();

/** The webhooks of all configurations, in the order in which they are called: by the configurations' names. */
export function hooksOf(configurations: readonly UnknownObject[], logger: Logger): readonly Hook[] {
  const sorted = configurations.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return sorted.flatMap((configuration) => {
    let hooks = compiled.get(configuration);
    if (hooks === undefined) compiled.set(configuration, (hooks = compile(configuration as UnknownObject & MutatingWebhookConfiguration, logger)));
    return hooks;
  });
}

function compile({ metadata: { name }, webhooks = [] }: MutatingWebhookConfiguration, logger: Logger): readonly Hook[] {
  return webhooks.flatMap((webhook) => {
    const { rules = [], matchPolicy, namespaceSelector, objectSelector, matchConditions = [] } = webhook;
    try {
      const matcher = new RequestMatcher({ rules, matchPolicy, namespaceSelector, objectSelector });
      return [{ configuration: name, webhook, matcher, conditions: compileConditions(matchConditions) }];
    } catch (error) {
      if (!isApiError(error)) throw error;
      // Nothing like it can be created; one that is stored nevertheless must not stop every write.
      logger.error("a webhook that makes no sense is not called", { configuration: name, webhook: webhook.name, error });
      return [];
    }
  });
}
