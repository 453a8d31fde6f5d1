import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { ApiError } from "@sluice/kubernetes";
import { unzipSync } from "fflate";
import { extract } from "tar-stream";
import { MAX_BODY_BYTES } from "./message.ts";

/** The YAML in a file: the file itself, or what an archive holds. Archives are told by their first bytes. */
export async function pipelineText(bytes: Uint8Array): Promise<string> {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return decode(unzip(bytes));
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return decode(await untar(gunzip(bytes)));
  return decode(bytes);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ApiError("BadRequest", "the pipeline is not UTF-8 text, nor a zip or tar.gz archive", { cause });
  }
}

/** `pipeline.yaml`, or else the first YAML file. */
function chosen(names: readonly string[]): string {
  const name = names.includes("pipeline.yaml") ? "pipeline.yaml" : names.find((one) => /\.ya?ml$/iu.test(one));
  if (name === undefined) throw new ApiError("BadRequest", "the archive holds no pipeline.yaml");
  return name;
}

/** The pipeline in a zip archive, of which nothing else is unpacked. */
function unzip(archive: Uint8Array): Uint8Array {
  try {
    const names: string[] = [];
    unzipSync(archive, {
      filter({ name }) {
        names.push(name);
        return false;
      },
    });
    const wanted = chosen(names);
    const entries = unzipSync(archive, {
      filter({ name, originalSize }) {
        if (name === wanted && originalSize > MAX_BODY_BYTES) throw tooLarge(`${name} in the archive`);
        return name === wanted;
      },
    });
    return entries[wanted] ?? new Uint8Array();
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError("BadRequest", `the zip archive cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function gunzip(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: 2 * MAX_BODY_BYTES });
  } catch (cause) {
    throw new ApiError("BadRequest", `the gzip archive cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** The pipeline in a tar archive. */
async function untar(archive: Uint8Array): Promise<Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  try {
    const parser = extract();
    parser.end(archive);
    for await (const entry of parser) {
      if (entry.header.type === "file") entries.set(entry.header.name.replace(/^\.\//u, ""), await buffer(entry));
      else entry.resume();
    }
  } catch (cause) {
    throw new ApiError("BadRequest", `the tar archive cannot be read: ${messageOf(cause)}`, { cause });
  }
  return entries.get(chosen([...entries.keys()])) ?? new Uint8Array();
}

/** The refusal of what is larger than a request may be. */
export function tooLarge(what: string): ApiError {
  return new ApiError("RequestEntityTooLarge", `${what} has more than ${MAX_BODY_BYTES} bytes`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
