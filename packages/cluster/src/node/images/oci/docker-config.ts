import type { PullCredentials, RegistryLogin } from "../images.ts";

interface Entry {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly auth?: unknown;
  readonly identitytoken?: unknown;
}

/**
 * Reads Docker's file of logins, as secrets of the types dockerconfigjson and dockercfg hold it. A key names a registry, which may
 * begin with `*.`, perhaps with the beginning of a repository, and with or without a scheme. What is no such file holds no logins.
 */
export function readDockerConfig(text: string): PullCredentials {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return () => [];
  }
  if (typeof value !== "object" || value === null) return () => [];
  const auths: unknown = "auths" in value ? value.auths : value;
  if (typeof auths !== "object" || auths === null) return () => [];
  const logins = Object.entries(auths).flatMap(([key, entry]) => {
    const login = typeof entry === "object" && entry !== null ? loginOf(entry as Entry) : undefined;
    return login === undefined ? [] : [{ key: normalized(key), login }];
  });
  // The longest key says most about where it fits.
  const sorted = logins.sort((a, b) => b.key.length - a.key.length);
  return (repository) => sorted.flatMap(({ key, login }) => (fits(key, repository) ? [login] : []));
}

function loginOf({ username, password, auth, identitytoken }: Entry): RegistryLogin | undefined {
  const decoded = typeof auth === "string" ? Buffer.from(auth, "base64").toString("utf8") : "";
  const colon = decoded.indexOf(":");
  const [user, secret] = colon < 0 ? [textOf(username), textOf(password)] : [decoded.slice(0, colon), decoded.slice(colon + 1)];
  const identityToken = textOf(identitytoken);
  if (user === "" && identityToken === "") return undefined;
  return { username: user, password: secret, ...(identityToken === "" ? {} : { identityToken }) };
}

function normalized(key: string): string {
  const path = key
    .replace(/^https?:\/\//u, "")
    .replace(/\/v[12]\/?$/u, "")
    .replace(/\/+$/u, "");
  return path.replace(/^(?:index|registry-1)\.docker\.io(?=\/|$)/u, "docker.io");
}

function fits(key: string, repository: string): boolean {
  const [keyHost = "", ...keyPath] = key.split("/");
  const [host = "", ...path] = repository.split("/");
  const keyLabels = keyHost.split(".");
  const labels = host.split(".");
  const isHost = keyLabels.length === labels.length && keyLabels.every((label, index) => label === "*" || label === labels[index]);
  return isHost && keyPath.every((part, index) => part === path[index]);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
