import type { Cause } from "@sluice/kubernetes";

/** How much the Pod Security Standards forbid. */
export type Level = "privileged" | "baseline" | "restricted";

/** A level as of a minor version of Kubernetes 1; Infinity is `latest`. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

/** What a namespace asks for. */
export interface PodSecurityPolicy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

const PREFIX = "pod-security.kubernetes.io/";
const LEVELS: readonly string[] = ["privileged", "baseline", "restricted"];

/** Reads the policy from a namespace's labels; a wrong label is as strict as can be where it is enforced, and means nothing else. */
export function readPolicy(labels: Readonly<Record<string, string>> = {}): { readonly policy: PodSecurityPolicy; readonly causes: readonly Cause[] } {
  const causes: Cause[] = [];
  const read = (mode: keyof PodSecurityPolicy): LevelVersion => {
    const label = `${PREFIX}${mode}`;
    const level = labels[label] ?? "privileged";
    const version = labels[`${label}-version`] ?? "latest";
    const minor = minorOf(version);
    if (!isLevel(level)) causes.push(refuse(label, level, "must be one of privileged, baseline, restricted"));
    if (minor === undefined) causes.push(refuse(`${label}-version`, version, 'must be "latest" or "v1.x"'));
    return { level: isLevel(level) ? level : mode === "enforce" ? "restricted" : "privileged", minor: minor ?? Infinity };
  };
  const [enforce, audit, warn] = [read("enforce"), read("audit"), read("warn")];
  // Who enforces is warned as well, unless they say otherwise.
  const isImplied = labels[`${PREFIX}warn`] === undefined && isLevel(labels[`${PREFIX}enforce`] ?? "") && enforce.level !== "privileged";
  const implied: LevelVersion = { level: enforce.level, minor: labels[`${PREFIX}warn-version`] === undefined ? enforce.minor : warn.minor };
  return { policy: { enforce, audit, warn: isImplied ? implied : warn }, causes };
}

/** As messages name it: `restricted:latest`. */
export function showLevel({ level, minor }: LevelVersion): string {
  return `${level}:${minor === Infinity ? "latest" : `v1.${minor}`}`;
}

/** Whether `a` forbids more than `b`. */
export function isStricter(a: Level, b: Level): boolean {
  return LEVELS.indexOf(a) > LEVELS.indexOf(b);
}

/** Whether two are one and the same. */
export function isSameLevel(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.minor === b.minor;
}

function isLevel(text: string): text is Level {
  return LEVELS.includes(text);
}

function minorOf(version: string): number | undefined {
  const digits = /^v1\.(0|[1-9]\d{0,5})$/u.exec(version)?.[1];
  return version === "latest" ? Infinity : digits === undefined ? undefined : Number(digits);
}

function refuse(label: string, value: string, why: string): Cause {
  return { reason: "FieldValueInvalid", field: `metadata.labels[${label}]`, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}
