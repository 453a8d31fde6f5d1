import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { Program, ProgramContext } from "@sluice/component";
import { ApiError, UserError } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import { type ExecutorOutput, localPathOfUri, parameterFromText, parseExecutorOutput } from "../domain/executor-input.ts";
import type { JsonValue } from "../domain/ir.ts";
import { AGENT_IMAGE } from "../engine/pod-types.ts";
import type { ReportedArtifact, TaskReport } from "../engine/types.ts";
import { AGENT_TASK_ENV, type AgentArtifact, type AgentTask } from "./agent-task.ts";

/** What an agent needs of the world. */
export interface ArtifactAgentOptions {
  readonly objects: ObjectStore;
  /** Stores a task's report; resolves once it is on disk. */
  readonly report: (report: TaskReport) => Promise<void>;
}

interface Stored {
  readonly digest: string;
  readonly size: number;
}

/** Where tasks of a run share files. */
const WORKSPACE = "/kfp-workspace/";
const LARGE = 16 * 2 ** 20;
const MEBIBYTE = 2 ** 20;
/** How many files of a directory are copied at once: small ones share their way to the disk. */
const AT_ONCE = 64;

/**
 * The program beside every task: `fetch` brings its input artifacts and makes room for outputs before it starts, `publish` waits until it has ended
 * (SIGTERM), takes its outputs and reports them. Both may be run again.
 */
export function artifactAgent(options: ArtifactAgentOptions): Program {
  return {
    image: AGENT_IMAGE,
    async run(context) {
      const task = JSON.parse(context.env[AGENT_TASK_ENV] ?? "null") as AgentTask | null;
      if (task === null) throw new UserError(`${AGENT_TASK_ENV} is not set`);
      const [verb] = context.args;
      if (verb === "fetch") {
        await fetchInputs(task, options.objects, context);
        await makeRoom(task, context);
      } else if (verb === "publish") {
        await aborted(context.signal);
        await publish(task, options, context);
      } else throw new UserError(`unknown argument ${JSON.stringify(verb)}`, { fix: "Use fetch or publish." });
      return 0;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Makes the directories that outputs are to be written into, open to whichever user the container has. */
async function makeRoom({ artifacts }: AgentTask, context: ProgramContext): Promise<void> {
  for (const { uri } of Object.values(artifacts)) {
    const path = localPathOfUri(uri);
    if (path === uri) continue;
    const directory = dirname(context.hostPath(path));
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
  }
  const temporary = hostPathOf(context, "/tmp");
  if (temporary !== undefined) await chmod(temporary, 0o1777).catch(ignoreAbsence);
}

async function fetchInputs(task: AgentTask, objects: ObjectStore, context: ProgramContext): Promise<void> {
  const wanted = new Map(task.inputs.map((input) => [input.path, input.uri]));
  for (const [path, uri] of wanted) {
    context.signal.throwIfAborted();
    // Another task has brought it, and tasks since may have changed it.
    if (path.startsWith(WORKSPACE) && existsSync(context.hostPath(path))) continue;
    const info = await objects.stat(uri);
    let count = 0;
    if (info !== undefined) {
      if (info.size >= LARGE) context.log(`fetching ${uri} (${megabytes(info.size)})`);
      await objects.getFile(uri, context.hostPath(path));
      count++;
    } else {
      const base = `${uri.replace(/\/+$/, "")}/`;
      for await (const entries of groups(objects.list(uri))) {
        context.signal.throwIfAborted();
        for (const { size, uri: from } of entries) if (size >= LARGE) context.log(`fetching ${from} (${megabytes(size)})`);
        await Promise.all(entries.map((entry) => objects.getFile(entry.uri, context.hostPath(`${path}/${entry.uri.slice(base.length)}`))));
        count += entries.length;
      }
    }
    // An artifact may be no more than metadata; a task that reads its path then finds nothing, as upstream.
    context.log(count === 0 ? `${uri} has no content` : `fetched ${uri}${info === undefined ? ` (${count} files)` : ""}`);
  }
}

async function publish(task: AgentTask, { objects, report }: ArtifactAgentOptions, context: ProgramContext): Promise<void> {
  const problems: string[] = [];
  const output = await executorOutput(task, context, problems);
  const parameters: Record<string, JsonValue> = {};
  for (const [name, { type, path }] of Object.entries(task.parameters)) {
    const given = Object.hasOwn(output.parameterValues, name) ? output.parameterValues[name] : undefined;
    if (given !== undefined) {
      parameters[name] = given;
      continue;
    }
    try {
      const text = await readText(context, path);
      if (text === undefined) {
        const where = `${path}, or among parameterValues in ${task.outputFile}`;
        problems.push(`output parameter ${JSON.stringify(name)} is missing: expected it in ${where}`);
        continue;
      }
      parameters[name] = parameterFromText(name, text, type);
    } catch (error) {
      problems.push(`output ${messageOf(error)} in ${path}`);
    }
  }
  const artifacts: ReportedArtifact[] = [];
  for (const [name, expected] of Object.entries(task.artifacts)) {
    try {
      artifacts.push(await publishArtifact(name, expected, output, objects, context));
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof UserError)) throw error;
      problems.push(`output artifact ${JSON.stringify(name)}: ${error.message}`);
    }
  }
  for (const problem of problems) context.log(`problem: ${problem}`);
  const { runId, taskId, attempt } = task;
  await report({ runId, taskId, attempt, parameters, artifacts, problems });
}

async function executorOutput(task: AgentTask, context: ProgramContext, problems: string[]): Promise<ExecutorOutput> {
  try {
    const text = await readText(context, task.outputFile);
    if (text !== undefined) return parseExecutorOutput(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    problems.push(`${task.outputFile}: ${error.message}`);
  }
  return { parameterValues: {}, artifacts: {} };
}

async function publishArtifact(
  output: string,
  expected: AgentArtifact,
  given: ExecutorOutput,
  objects: ObjectStore,
  context: ProgramContext,
): Promise<ReportedArtifact> {
  const told = Object.hasOwn(given.artifacts, output) ? given.artifacts[output]?.artifacts[0] : undefined;
  const uri = told?.uri === undefined || told.uri === "" ? expected.uri : told.uri;
  const artifact = { output, name: expected.name, type: expected.type, uri, metadata: { ...expected.metadata, ...told?.metadata } };
  const customPath = told?.customPath ?? "";
  const path = customPath === "" ? localPathOfUri(uri) : customPath;
  // The container put it there itself, at an address that has no local path.
  if (path === uri && customPath === "") return artifact;
  if (hostPathOf(context, path) === undefined) {
    const fix = `write it to ${localPathOfUri(uri)}, or to a path below /tmp`;
    throw new UserError(`${path} lies in the container's own files, which nobody sees once it has ended: ${fix}`);
  }
  const stored = await store(uri, path, objects, context);
  if (stored === undefined) context.log(`output artifact ${JSON.stringify(output)} has no content: nothing was written to ${path}`);
  return { ...artifact, ...stored };
}

/** Where a container's path is on this machine; undefined if it lies in no volume that the agent shares. */
function hostPathOf(context: ProgramContext, path: string): string | undefined {
  try {
    return context.hostPath(path);
  } catch {
    return undefined;
  }
}

/**
 * Where a container's file is on this machine; undefined if it is not there. Links are followed here, where the whole machine
 * can be seen, so none may lead out of the volume that the container wrote to.
 */
async function locate(context: ProgramContext, path: string): Promise<string | undefined> {
  const real = await realpath(context.hostPath(path)).catch(ignoreAbsence);
  if (real === undefined) return undefined;
  const root = await realpath(volumeOf(context, path));
  if (real !== root && !real.startsWith(`${root}${sep}`)) {
    throw new UserError(`${path} is a link that leads out of its volume: copy what it points to there instead`);
  }
  return real;
}

/** The root, on this machine, of the volume that `path` lies in: as far up as both sides of the mount go together. */
function volumeOf(context: ProgramContext, path: string): string {
  const host = context.hostPath(path);
  const above = dirname(path);
  return above === path || hostPathOf(context, above) !== dirname(host) ? host : volumeOf(context, above);
}

/** Stores a file, or all files of a directory, at `uri`; undefined if there is neither. */
async function store(uri: string, path: string, objects: ObjectStore, context: ProgramContext): Promise<Stored | undefined> {
  const found = await locate(context, path);
  if (found === undefined) return undefined;
  const own = await stat(found);
  if (!own.isDirectory()) return storeFile(uri, found, own.size, objects, context);
  const entries = await readdir(found, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(found, join(entry.parentPath, entry.name)));
  const base = uri.replace(/\/+$/, "");
  const hash = createHash("sha256");
  let size = 0;
  let count = 0;
  const storeOne = async (file: string): Promise<readonly [string, Stored] | undefined> => {
    const real = await locate(context, `${path}/${file}`);
    const info = real === undefined ? undefined : await stat(real);
    if (real === undefined || info === undefined || info.isDirectory()) return undefined;
    return [file, await storeFile(`${base}/${file}`, real, info.size, objects, context)];
  };
  for await (const some of groups(files.sort())) {
    for (const stored of await Promise.all(some.map(storeOne))) {
      if (stored === undefined) continue;
      const [file, { digest, size: bytes }] = stored;
      hash.update(`${file}\n${digest}\n`);
      size += bytes;
      if (++count % 1000 === 0) context.log(`stored ${count} of ${files.length} files of ${uri}`);
    }
  }
  context.log(`stored ${uri} (${count} files, ${megabytes(size)})`);
  return { digest: `sha256:${hash.digest("hex")}`, size };
}

async function storeFile(uri: string, path: string, size: number, objects: ObjectStore, context: ProgramContext): Promise<Stored> {
  if (size >= LARGE) context.log(`storing ${uri} (${megabytes(size)})`);
  const { digest, size: stored } = await objects.putFile(uri, path);
  return { digest, size: stored };
}

async function readText(context: ProgramContext, path: string): Promise<string | undefined> {
  const found = await locate(context, path);
  if (found === undefined) return undefined;
  if (!(await stat(found)).isFile()) throw new UserError(`${path} is not a file`);
  return readFile(found, "utf8");
}

/** The items some at a time. */
async function* groups<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < AT_ONCE) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function ignoreAbsence(error: unknown): undefined {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
  throw error;
}

function megabytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
