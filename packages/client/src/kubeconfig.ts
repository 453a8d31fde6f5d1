import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "@sluice/kubernetes";
import { parse } from "yaml";
import type { ClusterAccess } from "./cluster-access.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Reads how to reach the cluster of a kubeconfig's current context, or of another one of its contexts. */
export async function loadKubeconfig(path: string, context?: string): Promise<ClusterAccess> {
  const config = parseKubeconfig(await read(path, "kubeconfig"), path);
  const name = context ?? textOf(config, "current-context");
  if (name === undefined) throw new UserError(`${path} has no current context`, { fix: "choose one with `kubectl config use-context NAME`" });
  const chosen = find(config, "contexts", "context", name, path);
  const cluster = find(config, "clusters", "cluster", textOf(chosen, "cluster") ?? "", path);
  const userName = textOf(chosen, "user");
  const user = userName === undefined ? {} : find(config, "users", "user", userName, path);
  for (const plugin of ["exec", "auth-provider"]) {
    if (user[plugin] === undefined) continue;
    throw new UserError(`the user ${JSON.stringify(userName)} in ${path} gets its credentials from a program (${plugin}), which is not supported`, {
      fix: "use a context whose user has a token or a client certificate, e.g. of a service account: `kubectl create token NAME`",
    });
  }
  const server = textOf(cluster, "server");
  if (server === undefined || !URL.canParse(server))
    throw new UserError(`the cluster of the context ${JSON.stringify(name)} in ${path} has no valid server URL`);

  const pem = async (fields: Fields, field: string): Promise<string | undefined> => {
    const data = textOf(fields, `${field}-data`);
    if (data !== undefined) return Buffer.from(data, "base64").toString();
    const file = textOf(fields, field);
    return file === undefined ? undefined : read(resolve(dirname(path), file), field);
  };
  const tokenFile = textOf(user, "tokenFile");
  const token = textOf(user, "token");
  const found = {
    certificateAuthority: await pem(cluster, "certificate-authority"),
    serverName: textOf(cluster, "tls-server-name"),
    clientCertificate: await pem(user, "client-certificate"),
    clientKey: await pem(user, "client-key"),
    token: tokenFile !== undefined ? tokenIn(resolve(dirname(path), tokenFile)) : token === undefined ? undefined : () => Promise.resolve(token),
  };
  return {
    server,
    namespace: textOf(chosen, "namespace") ?? "default",
    skipVerification: cluster["insecure-skip-tls-verify"] === true,
    ...withoutUndefined(found),
  };
}

const ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How a pod reaches its own cluster, as its service account; undefined outside of pods. */
export async function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  directory: string = ACCOUNT_DIRECTORY,
): Promise<ClusterAccess | undefined> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host === "") return undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    certificateAuthority: await read(`${directory}/ca.crt`, "service account's CA"),
    token: tokenIn(`${directory}/token`),
    namespace: (await read(`${directory}/namespace`, "service account's namespace")).trim(),
  };
}

function tokenIn(path: string): () => Promise<string> {
  return async () => (await read(path, "token")).trim();
}

function parseKubeconfig(text: string, path: string): Fields {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new UserError(`${path} is not YAML: ${messageOf(cause)}`, { cause });
  }
  if (!isFields(value)) throw new UserError(`${path} is not a kubeconfig`);
  return value;
}

/** The entry of a list by its name. */
function find(config: Fields, list: string, field: string, name: string, path: string): Fields {
  const entries: unknown = config[list];
  const entry: unknown = Array.isArray(entries) ? entries.find((one) => isFields(one) && one["name"] === name) : undefined;
  const value = isFields(entry) ? entry[field] : undefined;
  if (!isFields(value)) throw new UserError(`${path} has no ${field} ${JSON.stringify(name)}`, { fix: "`kubectl config view` shows what it has" });
  return value;
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UserError(`cannot read the ${what} ${path}: ${messageOf(cause)}`, { cause });
  }
}

function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutUndefined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
