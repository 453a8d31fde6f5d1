import { ApiError } from "./errors.ts";
import { jsonEqual } from "./json-equal.ts";
import { cloneJson, isJsonObject } from "./merge-patch.ts";
import { requireShallow } from "./nesting.ts";

/** As upstream's limits. Copies of copies grow without end, and a patch of a few lines would fill the memory. */
const MAX_OPERATIONS = 10_000;
const MAX_COPIED_CHARACTERS = 3 * 1024 * 1024;

/** One operation of a JSON Patch. */
export type JsonPatchOperation =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; path: string; from: string };

type Pointer = readonly string[];
type Container = unknown[] | Record<string, unknown>;

/** Applies a JSON Patch (RFC 6902) to a copy of `document`: all of it or, with an `ApiError`, nothing. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new ApiError("BadRequest", "invalid JSON patch: expected an array of operations");
  if (patch.length > MAX_OPERATIONS) {
    const message = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`;
    throw new ApiError("RequestEntityTooLarge", message);
  }
  let copied = 0;
  const copy = (value: unknown): unknown => {
    requireShallow(value);
    const text = JSON.stringify(value);
    copied += text.length;
    if (copied > MAX_COPIED_CHARACTERS) throw inapplicable(`copies of more than ${MAX_COPIED_CHARACTERS} characters altogether are not allowed`);
    return JSON.parse(text);
  };
  const result = patch.reduce((root: unknown, operation: unknown, index) => {
    const path = isJsonObject(operation) ? operation["path"] : undefined;
    try {
      return apply(root, operationOf(operation), copy);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new ApiError(error.reason, `JSON patch operation ${index} at ${JSON.stringify(path)}: ${error.message}`, { cause: error });
    }
  }, cloneJson(document));
  requireShallow(result);
  return result;
}

/** Splits a JSON Pointer (RFC 6901) into its unescaped tokens. */
export function parseJsonPointer(pointer: string): string[] {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw malformed(`the pointer "${pointer}" must be empty or start with "/"`);
  if (/~(?![01])/.test(pointer)) throw malformed(`the pointer "${pointer}" has a "~" that is neither "~0" nor "~1"`);
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function operationOf(value: unknown): JsonPatchOperation {
  if (!isJsonObject(value)) throw malformed("expected an object");
  const { op, path, from } = value;
  if (typeof path !== "string") throw malformed("path must be a string");
  switch (op) {
    case "add":
    case "replace":
    case "test":
      if (!Object.hasOwn(value, "value")) throw malformed(`${op} needs a value`);
      return { op, path, value: cloneJson(value["value"]) };
    case "remove":
      return { op, path };
    case "move":
    case "copy":
      if (typeof from !== "string") throw malformed(`${op} needs from, a string`);
      return { op, path, from };
    default:
      throw malformed(`unknown op ${JSON.stringify(op)}; use add, remove, replace, move, copy or test`);
  }
}

function apply(root: unknown, operation: JsonPatchOperation, copy: (value: unknown) => unknown): unknown {
  const path = parseJsonPointer(operation.path);
  switch (operation.op) {
    case "add":
      return add(root, path, operation.value);
    case "remove":
      return remove(root, path);
    case "replace":
      return replace(root, path, operation.value);
    case "test":
      if (!jsonEqual(read(root, path), operation.value)) throw inapplicable("the test failed: the value differs");
      return root;
    case "copy":
      return add(root, path, copy(read(root, parseJsonPointer(operation.from))));
    case "move": {
      const from = parseJsonPointer(operation.from);
      const value = read(root, from);
      if (operation.path === operation.from) return root;
      if (operation.path.startsWith(`${operation.from}/`)) throw inapplicable("a value cannot move into itself");
      return add(remove(root, from), path, value);
    }
  }
}

function add(root: unknown, path: Pointer, value: unknown): unknown {
  const key = path.at(-1);
  if (key === undefined) return value;
  const parent = containerAt(root, path);
  if (Array.isArray(parent)) parent.splice(key === "-" ? parent.length : indexOf(key, parent.length), 0, value);
  else parent[safe(key)] = value;
  return root;
}

function replace(root: unknown, path: Pointer, value: unknown): unknown {
  const key = path.at(-1);
  if (key === undefined) return value;
  const parent = containerAt(root, path);
  child(parent, key);
  if (Array.isArray(parent)) parent[Number(key)] = value;
  else parent[key] = value;
  return root;
}

function remove(root: unknown, path: Pointer): unknown {
  const key = path.at(-1);
  if (key === undefined) throw inapplicable("the whole document cannot be removed");
  const parent = containerAt(root, path);
  child(parent, key);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return root;
}

function read(root: unknown, path: Pointer): unknown {
  return path.reduce(child, root);
}

/** The array or object that holds what `path` points to. */
function containerAt(root: unknown, path: Pointer): Container {
  const container = read(root, path.slice(0, -1));
  if (Array.isArray(container) || isJsonObject(container)) return container;
  throw inapplicable(`"${path.at(-1)}" has no array or object to be in`);
}

function child(parent: unknown, key: string): unknown {
  if (Array.isArray(parent)) return parent[indexOf(key, parent.length - 1)];
  if (isJsonObject(parent) && Object.hasOwn(parent, safe(key))) return parent[key];
  throw inapplicable(`"${key}" does not exist`);
}

function indexOf(token: string, last: number): number {
  if (!/^(?:0|[1-9]\d*)$/.test(token)) throw inapplicable(`"${token}" is not an array index`);
  if (Number(token) > last) throw inapplicable(`the index ${token} is out of bounds`);
  return Number(token);
}

function safe(key: string): string {
  if (key === "__proto__") throw malformed('the key "__proto__" is not allowed');
  return key;
}

function malformed(why: string): ApiError {
  return new ApiError("BadRequest", why);
}

function inapplicable(why: string): ApiError {
  return new ApiError("Invalid", why);
}
