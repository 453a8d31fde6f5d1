import type { EnvVar } from "./pod-types.ts";

/** The variables that the SDK's `set_debug_pause` sets. */
const VARIABLES = { before: "ARGO_DEBUG_PAUSE_BEFORE", after: "ARGO_DEBUG_PAUSE_AFTER", onError: "ARGO_DEBUG_PAUSE_ON_ERROR" } as const;

/** `sh -c HOLD sh <directory> <namespace> <command…>`: a file in the directory lets it go on. */
const HOLD = `
directory=$1 namespace=$2
shift 2
hold() {
  echo "paused $1 its own program; to go on: kubectl exec -n $namespace $KFP_POD_NAME -c main -- touch $directory/continue-$1"
  until [ -e "$directory/continue-$1" ]; do sleep 0.5; done
}
[ "$${VARIABLES.before}" != true ] || hold before
"$@"
code=$?
if [ "$${VARIABLES.after}" = true ]; then hold after
elif [ "$${VARIABLES.onError}" = true ] && [ $code != 0 ]; then hold after
fi
exit $code
`;

/**
 * The command of a container that its author wants held, before or after its program, for someone to look into it; any other
 * as it is. A container that leaves its command to its image cannot be held.
 */
export function heldCommand(
  command: readonly string[],
  env: readonly EnvVar[],
  place: { readonly directory: string; readonly namespace: string },
): readonly string[] {
  const names: readonly string[] = Object.values(VARIABLES);
  const isAsked = env.some(({ name, value }) => names.includes(name) && value === "true");
  return isAsked && command.length > 0 ? ["sh", "-c", escaped(HOLD), "sh", place.directory, place.namespace, ...command] : command;
}

/** What such a container runs once it is no longer held. */
export function freeCommand(command: readonly string[]): readonly string[] {
  return command[2] === escaped(HOLD) ? command.slice(HELD_WORDS) : command;
}

/** How many words stand before a held command. */
const HELD_WORDS = 6;

/** Kubernetes expands `$(NAME)`, and takes two dollars for one. */
function escaped(script: string): string {
  return script.replaceAll("$", "$$$$");
}
