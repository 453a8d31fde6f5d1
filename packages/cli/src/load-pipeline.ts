import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "@sluice/kubernetes";
import { compile, isPipeline } from "@sluice/sdk";
import { compilePython } from "./compile-python.ts";

/** How to read a file that holds a pipeline. */
export interface LoadOptions {
  /** Which pipeline, by the name of its function or export, where the file has several. */
  readonly pipeline?: string | undefined;
  /** The Python that has kfp; found unless given. */
  readonly python?: string | undefined;
}

/** A pipeline's IR as text: from a compiled file, from a module that exports a pipeline, or from a Python file that defines one. */
export async function loadPipeline(file: string, options: LoadOptions = {}): Promise<string> {
  const path = resolve(file);
  switch (extname(path)) {
    case ".py":
      return compilePython(file, options);
    case ".ts":
    case ".mts":
    case ".js":
    case ".mjs":
      return compileModule(file, options);
    default:
      return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
        throw new UserError(cause.code === "ENOENT" ? `there is no file ${file}` : `cannot read ${file}: ${cause.message}`, { cause });
      });
  }
}

async function compileModule(file: string, { pipeline: wanted }: LoadOptions): Promise<string> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`cannot load ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const pipelines = Object.entries(exported).filter(([, value]) => isPipeline(value));
  const names = pipelines.map(([name]) => name).join(", ");
  const [, chosen] =
    pipelines.find(([name]) => name === (wanted ?? "default")) ?? (wanted === undefined && pipelines.length === 1 ? pipelines[0] : undefined) ?? [];
  if (isPipeline(chosen)) return compile(chosen);
  if (pipelines.length === 0)
    throw new UserError(`${file} exports no pipeline`, { fix: "export the one to run as default: export default pipeline({ … }, …)" });
  if (wanted !== undefined) throw new UserError(`${file} exports no pipeline ${wanted}; it exports ${names}`);
  throw new UserError(`${file} exports several pipelines: ${names}`, { fix: "name one: --pipeline <name>" });
}
