import { existsSync } from "node:fs";
import { ApiError } from "@sluice/kubernetes";
import type { HostCommand } from "./sandbox.ts";
import { shellEnvironment } from "./shell-environment.ts";

/** Where util-linux' `script` may be: Node itself cannot make a terminal. */
const SCRIPTS = ["/usr/bin/script", "/bin/script", "/usr/local/bin/script"];

/**
 * A command whose standard streams are a terminal of its own, behind the streams of the command that is returned. First the
 * shell words `prelude` run, whose terminal it is already.
 */
export function terminalCommand({ argv, env, cwd, joins }: HostCommand, prelude: string): HostCommand {
  const script = SCRIPTS.find((path) => existsSync(path));
  if (script === undefined) {
    throw new ApiError("InternalError", "this machine cannot make a terminal, as it has no script of util-linux: apt-get install bsdutils");
  }
  const { SHELL: shell } = env;
  const { unspeakable, env: speakable } = shellEnvironment(env);
  const words = [...(unspeakable.length === 0 ? [] : ["/usr/bin/env", ...unspeakable]), ...argv];
  const restore = shell === undefined ? "unset SHELL" : `SHELL=${quote(shell)}`;
  const line = `${prelude}; ${restore}; exec ${words.map(quote).join(" ")}`;
  return { argv: [script, "-qef", "--echo", "always", "-c", line, "/dev/null"], env: { ...speakable, SHELL: "/bin/sh" }, cwd, joins };
}

/** A word that a shell takes as it is. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
