const LONGEST = 253;
const LONGEST_LABEL = 63;

/** The names that a row's object may have, best first: what it is called, if Kubernetes allows it, and something like it that is its own. */
export function objectNames(name: string, id: string): readonly [string, string] {
  const suffix = id.slice(0, 8);
  const own = `${slug(name).slice(0, LONGEST - suffix.length - 1)}-${suffix}`.replace(/^-/u, "");
  return [isObjectName(name) ? name : own, own];
}

/** A label's value that begins like a name. */
export function labelValue(name: string): string {
  return name.slice(0, LONGEST_LABEL).replace(/[^A-Za-z0-9]+$/u, "");
}

function isObjectName(name: string): boolean {
  return name.length <= LONGEST && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u.test(name);
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, "-")
    .replace(/^-+|-+$/gu, "");
}
