import { isJsonObject, type JsonObject, type JsonValue } from "./executor-input.ts";

/** Everything that decides whether two tasks may share a result. */
export interface CacheKey {
  /** The container as the IR has it, its placeholders unresolved. */
  readonly container: {
    readonly image: string;
    readonly command: readonly string[];
    readonly args: readonly string[];
    readonly pvcNames?: readonly string[];
  };
  /** The ids of the artifacts bound to each input, in order. */
  readonly inputArtifacts?: Readonly<Record<string, readonly string[]>>;
  /** The resolved inputs, without defaults of the component. */
  readonly inputParameters?: JsonObject;
  /** The declared output artifacts, without URIs. */
  readonly outputArtifacts?: Readonly<Record<string, { readonly type: JsonObject; readonly metadata?: JsonObject }>>;
  /** The type of each declared output parameter. */
  readonly outputParameters?: Readonly<Record<string, string>>;
}

/** Hashes text to lowercase hexadecimal. */
export type Sha256 = (text: string) => string;

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** JSON whose keys are sorted at every level and whose `<`, `>` and `&` are escaped, as Go writes it. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) {
    const items: readonly JsonValue[] = value;
    return `[${items.map(canonicalJson).join(",")}]`;
  }
  if (isJsonObject(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => compare(a, b));
    return `{${entries.map(([key, item]) => `${canonicalJson(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function mapValues<T>(record: Readonly<Record<string, T>> | undefined, change: (value: T, key: string) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, change(value, key)]));
}

/** The object without its fields that are empty strings, lists or objects, as protojson omits them. */
function withoutEmpty(fields: JsonObject): JsonObject {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== "" && (typeof value !== "object" || value === null || Object.keys(value).length > 0),
  );
  return Object.fromEntries(kept);
}

/** The fingerprint under which the result of a task is cached. */
export function fingerprint(key: CacheKey, sha256: Sha256): string {
  const { container } = key;
  const document = withoutEmpty({
    containerSpec: withoutEmpty({
      cmdArgs: [...container.command, ...container.args],
      image: container.image,
      pvcNames: [...new Set(container.pvcNames ?? [])].sort(compare),
    }),
    inputArtifactNames: mapValues(key.inputArtifacts, (ids) => withoutEmpty({ artifactNames: ids })),
    inputParameterValues: key.inputParameters ?? {},
    outputArtifactsSpec: mapValues(key.outputArtifacts, ({ type, metadata }, name) => withoutEmpty({ name, type, metadata: metadata ?? {} })),
    outputParametersSpec: mapValues(key.outputParameters, (type) => type),
  });
  return sha256(canonicalJson(document));
}

/** The fingerprint of a task whose author chose the cache key: the component and that key, nothing else. */
export function fingerprintOfCustomKey(component: string, cacheKey: string, sha256: Sha256): string {
  return sha256(`${component}\u0000${cacheKey}`);
}
