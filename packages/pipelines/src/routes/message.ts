import { ApiError } from "@sluice/kubernetes";
import type { Context } from "hono";
import type { RouteEnvironment } from "@sluice/component";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";

/** What a request may carry: a pipeline of a generous size. */
export const MAX_BODY_BYTES: number = 32 * 1024 * 1024;

/** A refusal that names the field. */
export function invalid(path: string, problem: string): ApiError {
  return new ApiError("BadRequest", path === "" ? problem : `${path}: ${problem}`);
}

/** The JSON of a request's body; of one that is empty, `fallback`. */
export async function readJson(context: Context<RouteEnvironment>, fallback?: JsonValue): Promise<JsonValue> {
  const text = await readText(context.req.raw.body);
  if (text === "" && fallback !== undefined) return fallback;
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (cause) {
    throw new ApiError("BadRequest", `the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** A body's text; no more of it is read than it may have. */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new ApiError("RequestEntityTooLarge", `the body has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** A protobuf message in JSON: snake_case or lowerCamelCase names, `null` for unset, and no unknown fields. */
export class Message {
  readonly #fields: ReadonlyMap<string, JsonValue>;
  readonly #path: string;

  constructor(value: JsonValue | undefined, path: string, known: readonly string[]) {
    this.#path = path;
    if (!isJsonObject(value)) throw invalid(path, "must be an object");
    const fields = new Map<string, JsonValue>();
    for (const [key, field] of Object.entries(value)) {
      const name = known.includes(key) ? key : key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      if (!known.includes(name)) throw invalid(path, `unknown field ${JSON.stringify(key)}`);
      if (field !== null) fields.set(name, field);
    }
    this.#fields = fields;
  }

  /** Where a field is, for messages. */
  at(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  value(name: string): JsonValue | undefined {
    return this.#fields.get(name);
  }

  /** A string; empty when unset. */
  text(name: string): string {
    const value = this.#fields.get(name) ?? "";
    if (typeof value !== "string") throw invalid(this.at(name), "must be a string");
    return value;
  }

  /** A string that must not be empty. */
  required(name: string): string {
    const value = this.text(name);
    if (value === "") throw invalid(this.at(name), "must not be empty");
    return value;
  }

  /** An object; undefined when unset. */
  object(name: string): JsonObject | undefined {
    const value = this.#fields.get(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw invalid(this.at(name), "must be an object");
    return value;
  }

  /** A map of strings; empty when unset. */
  texts(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(name) ?? {}).map(([key, value]): [string, string] => {
      if (typeof value !== "string") throw invalid(`${this.at(name)}.${key}`, "must be a string");
      return [key, value];
    });
    return Object.fromEntries(entries);
  }
}
