import type { IncomingMessage } from "node:http";
import type { RequestOrigin } from "../audit/audit-log.ts";

const AUDIT_ID = /^[\x21-\x7e]{1,128}$/u;

/** Where a request came from: its own name for itself, if it has one, and all addresses that it says it has passed, before the one that we see. */
export function originOf({ headers, url = "/", socket }: IncomingMessage, receivedAt: number, newId: () => string): RequestOrigin {
  const given = headers["audit-id"];
  const auditId = typeof given === "string" && AUDIT_ID.test(given) ? given : newId();
  const forwarded = headers["x-forwarded-for"];
  const passed = (typeof forwarded === "string" ? forwarded : "").split(",").map((address) => address.trim());
  const seen = socket.remoteAddress?.replace(/^::ffff:/u, "") ?? "";
  const sourceIPs = [...passed, seen].filter((address, index, all) => address !== "" && all.indexOf(address) === index);
  return { auditId, receivedAt, sourceIPs, userAgent: headers["user-agent"], requestURI: url };
}
