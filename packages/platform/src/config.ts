import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { OidcOptions } from "@sluice/cluster";
import { isQuantity, UserError } from "@sluice/kubernetes";
import { parse } from "yaml";
import { z } from "zod";

const port = z.coerce.number().int().min(0).max(65535);

/** A node as it is configured; whatever is not given is as this machine has it. */
export interface NodeConfig {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly taints?: readonly NodeTaint[] | undefined;
  /** Amounts by resource: `cpu: 4`, `memory: 8Gi`, `nvidia.com/gpu: 8`. */
  readonly capacity?: Readonly<Record<string, string>> | undefined;
}

/** What keeps pods off a node that do not tolerate it. */
interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** All that can be configured, complete and checked. */
export interface Config {
  /** Where everything is kept; `~/.sluice` unless given. */
  readonly dataDir: string;
  /** The loopback address that both servers listen on. */
  readonly address: string;
  /** The dashboard's and the components' port; 0 takes any. */
  readonly port: number;
  /** The Kubernetes API's port; 0 takes any. */
  readonly apiPort: number;
  /** Which components are on; all unless given. */
  readonly components?: readonly string[] | undefined;
  /** Where the log goes: `sluice.log` in the data directory, or standard error. */
  readonly log: "file" | "stderr";
  readonly logLevel: "info" | "warn" | "error";
  /** How pods are kept apart: `auto`, by all that this machine has for it; `none`, as plain processes. */
  readonly sandbox: "auto" | "none";
  /** What stands in for images that have no profile of their own: image → `python:3.11 numpy`, `node:24`, `busybox`, … */
  readonly imageProfiles?: Readonly<Record<string, string>> | undefined;
  /** Where it is written down, in audit.k8s.io/v1, who asks the Kubernetes API for what; nowhere unless given. */
  readonly auditLog?: string | undefined;
  /** The file with the `Policy` that says what of it; a sensible one unless given. */
  readonly auditPolicy?: string | undefined;
  /** The nodes of the cluster, each of which runs its pods on this machine; one that is the machine unless given. */
  readonly nodes?: readonly NodeConfig[] | undefined;
  /** An OpenID Connect issuer whose tokens the Kubernetes API takes, as kube-apiserver's `--oidc-*` flags say it. */
  readonly oidc?: OidcConfig | undefined;
  /** The built dashboard, if it is not the one of this installation. */
  readonly dashboard?: string | undefined;
}

/** An OpenID Connect issuer, and the file (PEM) with the certificates that vouch for it. */
export interface OidcConfig extends Omit<OidcOptions, "ca"> {
  readonly caFile?: string | undefined;
}

const names = z.string().transform((list) =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== ""),
);

const nodeName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/u, "a node's name consists of lower case letters, digits, '-' and '.'");
const amount = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine(isQuantity, "an amount is a number with an optional suffix, such as 500m or 8Gi");
const whole = z.union([z.string(), z.number()]).transform(String);
const node = z.strictObject({
  name: nodeName,
  labels: z.record(z.string(), whole).optional(),
  annotations: z.record(z.string(), whole).optional(),
  taints: z
    .array(
      z
        .strictObject({ key: z.string(), value: whole.optional(), effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]) })
        .transform(({ key, value, effect }): NodeTaint => (value === undefined ? { key, effect } : { key, value, effect })),
    )
    .optional(),
  capacity: z.record(z.string(), amount).optional(),
});
const nodes = z
  .array(node)
  .min(1, "at least one node is needed, to run pods")
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, "two nodes have the same name");

const schema = z.strictObject({
  dataDir: z.string().min(1),
  address: z.string().min(1).default("127.0.0.1"),
  port: port.default(8080),
  apiPort: port.default(6443),
  components: z.union([z.array(z.string()), names]).optional(),
  log: z.enum(["file", "stderr"]).default("file"),
  logLevel: z.enum(["info", "warn", "error"]).default("info"),
  sandbox: z.enum(["auto", "none"]).default("auto"),
  imageProfiles: z.record(z.string(), z.string()).optional(),
  auditLog: z.string().min(1).optional(),
  auditPolicy: z.string().min(1).optional(),
  nodes: nodes.optional(),
  oidc: z
    .strictObject({
      issuer: z.string(),
      clientIds: z.array(z.string()),
      usernameClaim: z.string().optional(),
      usernamePrefix: z.string().optional(),
      groupsClaim: z.string().optional(),
      groupsPrefix: z.string().optional(),
      requiredClaims: z.record(z.string(), z.string()).optional(),
      signingAlgorithms: z.array(z.string()).optional(),
      caFile: z.string().optional(),
    })
    .optional(),
  dashboard: z.string().optional(),
}) satisfies z.ZodType<Config>;

/** What the command line gives; an absent field falls back to `SLUICE_*`, then to `sluice.yaml` in the data directory, then to the default. */
export type Flags = { readonly [K in keyof Config]?: unknown };

const KEYS = Object.keys(schema.shape) as (keyof Config)[];

/** Reads the configuration: flag > environment > file > default. A wrong value is a `UserError` that names where it came from. */
export async function readConfig(flags: Flags, env: Readonly<Record<string, string | undefined>>): Promise<Config> {
  const dataDir = resolve(String(flags.dataDir ?? env["SLUICE_DATA_DIR"] ?? join(homedir(), ".sluice")));
  const path = join(dataDir, "sluice.yaml");
  const file = await readSettings(path);
  const sources = new Map<string, string>();
  const merged: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(file)) {
    merged[name] = value;
    sources.set(name, path);
  }
  for (const key of KEYS) {
    const variable = variableOf(key);
    if (flags[key] !== undefined) {
      merged[key] = flags[key];
      sources.set(key, flagOf(key));
    } else if (env[variable] !== undefined && env[variable] !== "") {
      merged[key] = env[variable];
      sources.set(key, variable);
    }
  }
  const parsed = schema.safeParse({ ...merged, dataDir });
  if (parsed.success) return Object.freeze(parsed.data);
  const problems = parsed.error.issues.map(({ code, path: [key], message, ...issue }) => {
    if (code === "unrecognized_keys") return `${path}: unknown setting ${"keys" in issue ? String(issue.keys) : ""}; known are ${KEYS.join(", ")}`;
    return `${sources.get(String(key)) ?? String(key)}: ${message}`;
  });
  throw new UserError(`the configuration is wrong: ${problems.join("; ")}`, { fix: "`sluice up --help` shows what is possible" });
}

/** The flag of a setting: `apiPort` is `--api-port`. */
export function flagOf(key: keyof Config): string {
  return `--${kebab(key)}`;
}

function variableOf(key: string): string {
  return `SLUICE_${kebab(key).replaceAll("-", "_").toUpperCase()}`;
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}

async function readSettings(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new UserError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  try {
    const value: unknown = parse(text) ?? {};
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (cause) {
    throw new UserError(`${path} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  throw new UserError(`${path} is not a map of settings`, { fix: "write lines such as `port: 8080`" });
}
