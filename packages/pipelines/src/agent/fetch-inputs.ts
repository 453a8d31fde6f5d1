import { existsSync } from "node:fs";
import type { ProgramContext } from "@sluice/component";
import { UserError } from "@sluice/kubernetes";
import type { ObjectInfo, ObjectStore } from "@sluice/object-store";
import { canonicalUri } from "@sluice/object-store/canonical-uri";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { AgentInput, AgentTask } from "./agent-task.ts";
import { AT_ONCE, groups, LARGE, megabytes } from "./carrying.ts";
import { digestOfDirectory } from "./directory-digest.ts";

/** Where tasks of a run share files. */
const WORKSPACE = "/kfp-workspace/";

/** Brings a task's input artifacts to where its container looks for them, and verifies that they are what they were when they were stored. */
export async function fetchInputs(task: AgentTask, stores: Pick<ArtifactStores, "of">, context: ProgramContext): Promise<void> {
  const wanted = new Map(task.inputs.map((input) => [input.path, input]));
  for (const input of wanted.values()) {
    context.signal.throwIfAborted();
    // Another task has brought it, and tasks since may have changed it.
    if (input.path.startsWith(WORKSPACE) && existsSync(context.hostPath(input.path))) continue;
    const objects = stores.of(context.pod.namespace, { query: input.store, withWeb: true });
    const { digest, count } = await fetchInput({ ...input, uri: canonicalUri(input.uri).uri }, objects, context);
    if (input.digest !== undefined && input.digest !== digest) throw changed(input, digest);
    // An artifact may be no more than metadata; a task that reads its path then finds nothing, as upstream.
    context.log(digest === undefined ? `${input.uri} has no content` : `fetched ${input.uri}${count === undefined ? "" : ` (${count} files)`}`);
  }
}

interface Fetched {
  /** Absent if there is nothing. */
  readonly digest?: string;
  /** How many files a directory has. */
  readonly count?: number;
}

async function fetchInput({ uri, path }: AgentInput, objects: ObjectStore, context: ProgramContext): Promise<Fetched> {
  const note = ({ uri: from, size }: ObjectInfo): void => {
    if (size >= LARGE) context.log(`fetching ${from} (${megabytes(size)})`);
  };
  const info = await objects.stat(uri);
  if (info !== undefined) {
    note(info);
    return { digest: (await objects.getFile(uri, context.hostPath(path))).digest };
  }
  const digests: [string, string][] = [];
  for await (const entries of groups(objects.list(uri), AT_ONCE)) {
    context.signal.throwIfAborted();
    entries.forEach(note);
    const bring = async (entry: ObjectInfo): Promise<[string, string]> => {
      const file = entry.uri.slice(uri.length + 1);
      return [file, (await objects.getFile(entry.uri, context.hostPath(`${path}/${file}`))).digest];
    };
    digests.push(...(await Promise.all(entries.map(bring))));
  }
  return digests.length === 0 ? {} : { digest: digestOfDirectory(digests), count: digests.length };
}

function changed({ uri, digest }: AgentInput, found: string | undefined): UserError {
  const now = found === undefined ? "and is gone" : `and is ${found} now`;
  return new UserError(
    `the content of ${uri} is not what its task stored: it was ${digest ?? ""} ${now}. Run that task again, without its cached result`,
  );
}
