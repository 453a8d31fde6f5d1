import { basename } from "node:path";
import { shellCommands } from "../shell-commands.ts";

/** The arguments of one `pip install`, without those that do not change what is installed. */
export type PipRequest = readonly string[];

const SHELLS = new Set(["sh", "bash", "ash", "dash"]);
/** Options that do not change what is installed into an environment; the same list stands in the environment's own pip. */
export const IDLE_OPTIONS: readonly string[] = [
  ...["-q", "-qq", "-qqq", "--quiet", "-v", "--verbose", "--no-warn-script-location", "--disable-pip-version-check"],
  ...["--no-cache-dir", "--no-input", "--no-color", "--progress-bar=off", "--root-user-action=ignore", "--user"],
];
/** Options that take a value in the next word. */
const VALUED = new Set(["-i", "--index-url", "--extra-index-url", "--trusted-host", "--timeout", "--retries"]);
const PLAIN = new Set(["--no-deps", "--pre", "-U", "--upgrade", "--only-binary=:all:", "--prefer-binary"]);

/**
 * What a container's command line is certain to install into its Python before it does anything else: requests that name
 * packages only. What depends on files, variables or conditions is left to pip when the container runs.
 */
export function pipRequests(argv: readonly string[]): readonly PipRequest[] {
  const script = scriptOf(argv);
  if (script === undefined) return [];
  const commands = shellCommands(script);
  // What a script reads in may lead to another Python.
  const other = commands.findIndex(({ words: [first] }) => first === "." || first === "source");
  return commands.slice(0, other < 0 ? undefined : other).flatMap(({ words, isCertain }) => {
    const request = isCertain ? installOf(words) : undefined;
    return request === undefined ? [] : [request];
  });
}

/** The script of `sh -c script …`. */
function scriptOf(argv: readonly string[]): string | undefined {
  const [program, ...rest] = argv;
  if (program === undefined || !SHELLS.has(basename(program))) return undefined;
  const index = rest.findIndex((word) => !word.startsWith("-") || /^-[a-z]*c$/u.test(word));
  return index >= 0 && rest[index]?.startsWith("-") === true ? rest[index + 1] : undefined;
}

function installOf(words: readonly (string | undefined)[]): PipRequest | undefined {
  const start = words.findIndex((word) => word === undefined || !/^\w+=/u.test(word));
  const [program, ...rest] = words.slice(Math.max(start, 0));
  if (program === undefined) return undefined;
  const name = basename(program);
  const args = /^pip[\d.]*$/u.test(name) ? rest : /^python[\d.]*$/u.test(name) && rest[0] === "-m" && rest[1] === "pip" ? rest.slice(2) : [];
  if (args[0] !== "install" || args.includes(undefined)) return undefined;
  const request = args
    .slice(1)
    .filter((arg) => arg !== undefined)
    .filter((arg) => !IDLE_OPTIONS.includes(arg));
  return namesPackagesOnly(request) ? request : undefined;
}

/** No file, no URL, no option whose effect reaches beyond the environment. */
function namesPackagesOnly(request: PipRequest): boolean {
  let packages = 0;
  for (let index = 0; index < request.length; index++) {
    const word = request[index] ?? "";
    if (VALUED.has(word)) index++;
    else if (/^--(?:index-url|extra-index-url|trusted-host|timeout|retries)=/u.test(word) || PLAIN.has(word)) continue;
    else if (/^[A-Za-z0-9][\w.-]*(?:\[[\w.,\s-]+\])?\s*(?:[<>=!~(;].*)?$/su.test(word) && !/[\\/]/u.test(word)) packages++;
    else return false;
  }
  return packages > 0;
}
