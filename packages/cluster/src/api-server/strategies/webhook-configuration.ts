import { validateWebhooks } from "../../admission/webhooks/validate-webhooks.ts";
import type { Strategy } from "../strategy.ts";

/** Configurations of webhooks: what admission could make no sense of is refused before it is stored. */
export const webhookConfigurationStrategy: Strategy = { hasGeneration: true, validate: validateWebhooks };
