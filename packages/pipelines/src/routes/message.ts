import { ApiError } from "@sluice/kubernetes";
import type { Context } from "hono";
import type { RouteEnvironment } from "@sluice/component";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { invalid } from "./invalid.ts";
import { readFields } from "./read-field.ts";
import { VALUE, type Fields, type MessageType } from "./schema.ts";

export { invalid } from "./invalid.ts";

/** What a request may carry: a pipeline of a generous size. */
export const MAX_BODY_BYTES: number = 32 * 1024 * 1024;

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

/** A protobuf message in JSON: snake_case or lowerCamelCase names, `null` for unset, no unknown fields, and what is known of its fields' types holds. */
export class Message {
  readonly #fields: JsonObject;
  readonly #path: string;

  constructor(value: JsonValue | undefined, path: string, known: MessageType | readonly string[]) {
    this.#path = path;
    const fields: Fields = "fields" in known ? known.fields : Object.fromEntries(known.map((name) => [name, VALUE]));
    this.#fields = Object.fromEntries(Object.entries(readFields(value, fields, path)).filter(([, field]) => field !== null));
  }

  /** Where a field is, for messages. */
  at(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  value(name: string): JsonValue | undefined {
    return this.has(name) ? this.#fields[name] : undefined;
  }

  /** A string; empty when unset. */
  text(name: string): string {
    const value = this.value(name) ?? "";
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
    const value = this.value(name);
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

  /** A message within this one; undefined when unset. */
  message(name: string, type: MessageType): Message | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : new Message(value, this.at(name), type);
  }

  /** The messages of a list; none when unset. */
  messages(name: string, type: MessageType): readonly Message[] {
    const value = this.value(name) ?? [];
    if (!Array.isArray(value)) throw invalid(this.at(name), "must be a list");
    return (value as readonly JsonValue[]).map((item, index) => new Message(item, `${this.at(name)}[${index}]`, type));
  }

  /** All fields that are set. */
  get fields(): JsonObject {
    return this.#fields;
  }
}
