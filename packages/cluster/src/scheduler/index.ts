import type { Client } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";

export async function runScheduler(_options: { readonly client: Client; readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal }): Promise<void> {}
