import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Logger } from "@sluice/controller";
import { UserError } from "@sluice/kubernetes";
import { parse } from "yaml";
import { AuditFile } from "./audit-file.ts";
import { AuditLog } from "./audit-log.ts";
import { readAuditPolicy, type AuditPolicy } from "./audit-policy.ts";
import { defaultAuditPolicy } from "./default-audit-policy.ts";

/** Whether and how a cluster writes down what is asked of it. */
export interface AuditOptions {
  /** A `Policy` of audit.k8s.io/v1, or the file that has it; a sensible one unless given. */
  readonly policy?: AuditPolicy | string | undefined;
  /** The log's file; `audit.log` in the cluster's directory unless given. */
  readonly path?: string | undefined;
  /** The size at which a new file is begun; 100 MB unless given. */
  readonly maxBytes?: number | undefined;
  /** How many old files are kept; 10 unless given. */
  readonly maxBackups?: number | undefined;
}

/** Opens the log of a cluster, and what must be disposed of after it. */
export async function openAuditLog(
  { policy = defaultAuditPolicy, path, maxBytes = 100_000_000, maxBackups = 10 }: AuditOptions,
  context: { readonly directory: string; readonly clock: Clock; readonly logger: Logger; readonly newId: () => string },
): Promise<{ readonly log: AuditLog; readonly file: AuditFile }> {
  const { directory, clock, logger, newId } = context;
  const file = new AuditFile({ path: path ?? join(directory, "audit.log"), maxBytes, maxBackups, clock, logger });
  const read = typeof policy === "string" ? await readPolicyFile(policy) : policy;
  return { log: new AuditLog({ policy: read, write: (event) => file.write(event), clock, newId }), file };
}

async function readPolicyFile(path: string): Promise<AuditPolicy> {
  let value: unknown;
  try {
    value = parse(await readFile(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`cannot read the audit policy ${path}: ${reason}`, { fix: "name a YAML file with a Policy of audit.k8s.io/v1", cause });
  }
  return readAuditPolicy(value, path);
}
