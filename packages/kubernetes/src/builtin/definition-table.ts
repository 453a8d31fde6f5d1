import { DEFINITIONS } from "./definitions.ts";

/** What one field of a built-in definition is, on the wire and in JSON. */
export interface FieldDefinition {
  /** JSON name; `undefined` where the field's own fields stand in its place. */
  readonly name: string | undefined;
  /** Protobuf field number; 0 where the protobuf message lacks the field. */
  readonly number: number;
  readonly type: FieldType;
  /** A pointer in Go: absent, or whatever the wire says, be it zero. */
  readonly isPointer: boolean;
  /** Validation demands it. */
  readonly isRequired: boolean;
  /** JSON shows it even when it is empty. */
  readonly isAlwaysShown: boolean;
  readonly listType?: string;
  readonly listMapKeys: readonly string[];
  readonly isAtomicMap: boolean;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
}

/** A field's type: a scalar, a definition's full name, or a list or a map (by string) of either. */
export type FieldType =
  | { readonly kind: "scalar"; readonly scalar: Scalar }
  | { readonly kind: "definition"; readonly name: string }
  | { readonly kind: "list" | "map"; readonly of: FieldType };

/** The forms that values take besides messages. */
export type Scalar = (typeof SCALARS)[number];

/** A definition: its fields, and whether server-side apply treats it as one value. */
export interface Definition {
  readonly name: string;
  readonly isAtomic: boolean;
  readonly fields: readonly FieldDefinition[];
}

const SCALARS = [
  "string",
  "bool",
  "int32",
  "int64",
  "double",
  "bytes",
  "quantity",
  "int-or-string",
  "time",
  "micro-time",
  "duration",
  "raw",
  "json",
  "strings",
  "schema-or-bool",
  "schema-or-array",
  "schema-or-strings",
] as const;

let sections: ReadonlyMap<string, readonly string[]> | undefined;
const parsed = new Map<string, Definition>();

/** The definition of that full name, e.g. `io.k8s.api.core.v1.PodSpec`; parsed when first asked for. */
export function findDefinition(name: string): Definition | undefined {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const lines = (sections ??= split(DEFINITIONS)).get(name);
  if (lines === undefined) return undefined;
  const [head = "", ...rest] = lines;
  const definition = { name, isAtomic: head.endsWith(" atomic"), fields: rest.map((line) => parseField(line, name)) };
  parsed.set(name, definition);
  return definition;
}

/** The full names of all definitions. */
export function definitionNames(): readonly string[] {
  return [...(sections ??= split(DEFINITIONS)).keys()];
}

function split(text: string): Map<string, readonly string[]> {
  const result = new Map<string, string[]>();
  let prefix = "";
  let current: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("== ")) prefix = line.slice(3);
    else if (line.startsWith(" ")) current.push(line);
    else if (line !== "") {
      current = [line];
      result.set(`${prefix}.${line.split(" ", 1)[0] ?? ""}`, current);
    }
  }
  return result;
}

function parseField(line: string, owner: string): FieldDefinition {
  const [name = "", number = "", type = "", ...flags] = line.slice(1).split(" ");
  const value = (key: string): string | undefined => flags.find((flag) => flag.startsWith(`${key}=`))?.slice(key.length + 1);
  const [listType, ...listMapKeys] = value("list")?.split(":") ?? [];
  const strategy = value("patch");
  const mergeKey = value("merge");
  const values = value("enum");
  const fallback = value("default");
  return {
    name: name === "." ? undefined : name,
    number: Number(number),
    type: parseType(type.replace(/^\*/, ""), owner),
    isPointer: type.startsWith("*"),
    isRequired: flags.includes("!"),
    isAlwaysShown: flags.includes("="),
    listMapKeys,
    isAtomicMap: flags.includes("atomic"),
    ...(listType === undefined ? {} : { listType }),
    ...(strategy === undefined ? {} : { patchStrategy: strategy }),
    ...(mergeKey === undefined ? {} : { patchMergeKey: mergeKey }),
    ...(values === undefined ? {} : { enum: values.split("|") }),
    ...(fallback === undefined ? {} : { default: JSON.parse(fallback) }),
  };
}

function parseType(text: string, owner: string): FieldType {
  if (text.startsWith("[]")) return { kind: "list", of: parseType(text.slice(2), owner) };
  if (text.startsWith("{}")) return { kind: "map", of: parseType(text.slice(2), owner) };
  const scalar = SCALARS.find((candidate) => candidate === text);
  if (scalar !== undefined) return { kind: "scalar", scalar };
  return { kind: "definition", name: text.includes(".") ? text : `${owner.slice(0, owner.lastIndexOf("."))}.${text}` };
}
