import type { ObjectMeta, PodSpec } from "@sluice/kubernetes";
import { baselineChecks } from "./baseline-checks.ts";
import { restrictedChecks } from "./restricted-checks.ts";
import type { Finding, PodSecurityCheck } from "./finding.ts";
import type { LevelVersion } from "./policy.ts";

/** What of a pod, or of a template of one, the level forbids, in the standard's order. */
export function findingsOf({ level, minor }: LevelVersion, metadata: Partial<ObjectMeta>, spec: PodSpec): Finding[] {
  return checksFor(level, minor).flatMap((check) => check.find(spec, { annotations: metadata.annotations ?? {}, minor }) ?? []);
}

/** Findings as a message about one pod tells them. */
export function showFindings(findings: readonly Finding[]): string {
  return findings.map(({ reason, detail }) => `${reason} (${detail})`).join(", ");
}

/** Baseline first, then what restricted adds, which may replace some of baseline. */
function checksFor(level: LevelVersion["level"], minor: number): readonly PodSecurityCheck[] {
  if (level === "privileged") return [];
  const since = ({ since: from = 0 }: PodSecurityCheck): boolean => minor >= from;
  const baseline = baselineChecks.filter(since);
  if (level === "baseline") return baseline;
  const restricted = restrictedChecks.filter(since);
  const replaced = restricted.flatMap(({ replaces }) => replaces ?? []);
  return [...baseline.filter(({ id }) => !replaced.includes(id)), ...restricted];
}
