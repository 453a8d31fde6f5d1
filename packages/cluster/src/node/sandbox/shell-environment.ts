import type { HostCommand } from "./sandbox.ts";

/** Variables that some shell sets or guards itself. */
const SPECIAL =
  /^(?:IFS|PWD|OLDPWD|PPID|OPT(?:IND|ARG|ERR)|LINENO|PS[0-4]|ENV|_|SHLVL|E?UID|GROUPS|S?RANDOM|SECONDS|EPOCH\w+|DIRSTACK|FUNCNAME|HIST\w+|COMP_\w+|BASH\w*|SHELLOPTS|PIPESTATUS)$/;

/** A shell hands on only variables whose names it could have itself, and not all of those as they were; such take the way through `env`. */
export function shellEnvironment(all: HostCommand["env"]): { readonly env: Record<string, string>; readonly unspeakable: string[] } {
  const env: Record<string, string> = {};
  const unspeakable: string[] = [];
  for (const [name, value] of Object.entries(all)) {
    if (/^[A-Za-z_]\w*$/.test(name) && !SPECIAL.test(name)) env[name] = value;
    else unspeakable.push(`${name}=${value}`);
  }
  return { env, unspeakable };
}
