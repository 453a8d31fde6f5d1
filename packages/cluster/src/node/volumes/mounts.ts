import { chmodSync, existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import type { Container } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { expand } from "../environment/expand.ts";
import type { SandboxMount } from "../sandbox/sandbox.ts";

/** A container's mounts, given where its pod's volumes lie on this machine and its environment. */
export function mountsOf(container: Container, volumes: ReadonlyMap<string, string>, environment: ReadonlyMap<string, string>): SandboxMount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, readOnly, subPath = "", subPathExpr = "" }) => {
    const volume = volumes.get(name);
    if (volume === undefined) throw new ConfigError(`volume ${JSON.stringify(name)} of container ${container.name} is not there`);
    const sub = subPathExpr === "" ? subPath : expand(subPathExpr, environment);
    return { source: sub === "" ? realpathSync(volume) : subPathOf(volume, sub), target: normalize(mountPath), readOnly: readOnly === true };
  });
}

/** A part of a volume, made if need be, as open as the volume itself; no link may lead out of it. */
function subPathOf(volume: string, subPath: string): string {
  const root = realpathSync(volume);
  const path = join(root, subPath);
  if (subPath.startsWith("/") || !isInside(root, path)) throw new ConfigError(`subPath ${JSON.stringify(subPath)} must lie in its volume`);
  if (!existsSync(path)) {
    const parent = nearest(path);
    if (!isInside(root, realpathSync(parent))) throw new ConfigError(`subPath ${JSON.stringify(subPath)} leads out of its volume`);
    const { mode } = statSync(root);
    for (let made = path; made !== parent; made = dirname(made)) {
      mkdirSync(made, { recursive: true });
      chmodSync(made, mode & 0o7777);
    }
  }
  const real = realpathSync(path);
  if (!isInside(root, real)) throw new ConfigError(`subPath ${JSON.stringify(subPath)} leads out of its volume`);
  return real;
}

/** Where on this machine a container sees `path`. It must lie in a mount, and no link may lead out of that. */
export function hostPathOf(path: string, mounts: readonly SandboxMount[]): string {
  const clean = normalize(path);
  const mount = mounts.filter(({ target }) => isInside(target, clean)).sort((a, b) => b.target.length - a.target.length)[0];
  if (mount === undefined) throw new ConfigError(`${path} lies in no volume of the container`);
  const host = join(mount.source, relative(mount.target, clean));
  if (!isInside(mount.source, realpathSync(nearest(host)))) throw new ConfigError(`${path} leads out of its volume`);
  return host;
}

/** The path itself, or the nearest directory above it that exists. */
function nearest(path: string): string {
  return existsSync(path) ? path : nearest(dirname(path));
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
