import { UserError } from "@sluice/kubernetes";
import type { JsonObject, JsonValue, ParameterType } from "./ir.ts";

export type { JsonObject, JsonValue, ParameterType } from "./ir.ts";

/** The schema an artifact claims to follow. */
export interface ArtifactType {
  readonly schemaTitle?: string;
  readonly schemaVersion?: string;
  readonly instanceSchema?: string;
  readonly schemaUri?: string;
}

/** One artifact as a container sees it. */
export interface RuntimeArtifact {
  readonly name?: string;
  readonly type?: ArtifactType;
  readonly uri?: string;
  readonly metadata?: JsonObject;
  readonly customPath?: string;
}

/** The artifacts bound to one input or output. */
export interface ArtifactList {
  readonly artifacts: readonly RuntimeArtifact[];
}

/** What a container is told about its task: the value of `{{$}}`. */
export interface ExecutorInput {
  readonly inputs?: {
    readonly parameterValues?: JsonObject;
    readonly artifacts?: Readonly<Record<string, ArtifactList>>;
  };
  readonly outputs?: {
    readonly parameters?: Readonly<Record<string, { readonly outputFile: string }>>;
    readonly artifacts?: Readonly<Record<string, ArtifactList>>;
    readonly outputFile?: string;
  };
}

/** What a container reports in its output file. */
export interface ExecutorOutput {
  readonly parameterValues: JsonObject;
  readonly artifacts: Readonly<Record<string, ArtifactList>>;
}

/** Whether `value` is a JSON object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJsonText(text: string): JsonValue {
  const value: JsonValue = JSON.parse(text);
  return value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function outputError(path: string, problem: string): UserError {
  return new UserError(`executor output: ${path} ${problem}`);
}

function expectObject(value: JsonValue, path: string): JsonObject {
  if (!isJsonObject(value)) throw outputError(path, "must be an object");
  return value;
}

function expectString(value: JsonValue, path: string): string {
  if (typeof value !== "string") throw outputError(path, "must be a string");
  return value;
}

/** The fields of a message under their lowerCamelCase names; null means unset, as in protojson. */
function fieldsOf(value: JsonValue, path: string, known: readonly string[]): ReadonlyMap<string, JsonValue> {
  const fields = new Map<string, JsonValue>();
  for (const [key, field] of Object.entries(expectObject(value, path))) {
    const name = key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    if (!known.includes(name)) throw outputError(path, `has the unknown field ${JSON.stringify(key)}`);
    if (fields.has(name)) throw outputError(path, `has the field ${JSON.stringify(name)} twice`);
    if (field !== null) fields.set(name, field);
  }
  return fields;
}

function parseType(value: JsonValue, path: string): ArtifactType {
  const names = ["schemaTitle", "schemaVersion", "instanceSchema", "schemaUri"] as const;
  const fields = fieldsOf(value, path, names);
  const type: { -readonly [K in keyof ArtifactType]: ArtifactType[K] } = {};
  for (const name of names) {
    const field = fields.get(name);
    if (field !== undefined) type[name] = expectString(field, `${path}.${name}`);
  }
  return type;
}

function parseArtifact(value: JsonValue, path: string): RuntimeArtifact {
  const fields = fieldsOf(value, path, ["name", "type", "uri", "metadata", "customPath"]);
  const name = fields.get("name");
  const type = fields.get("type");
  const uri = fields.get("uri");
  const metadata = fields.get("metadata");
  const customPath = fields.get("customPath");
  return {
    ...(name === undefined ? {} : { name: expectString(name, `${path}.name`) }),
    ...(type === undefined ? {} : { type: parseType(type, `${path}.type`) }),
    ...(uri === undefined ? {} : { uri: expectString(uri, `${path}.uri`) }),
    ...(metadata === undefined ? {} : { metadata: expectObject(metadata, `${path}.metadata`) }),
    ...(customPath === undefined ? {} : { customPath: expectString(customPath, `${path}.customPath`) }),
  };
}

/** The input of an executor as it is handed over in JSON, where every artifact has the URI that its container is told. */
export function containerInput(input: ExecutorInput): ExecutorInput {
  const told = (side: Readonly<Record<string, ArtifactList>> | undefined): Readonly<Record<string, ArtifactList>> | undefined =>
    side === undefined
      ? undefined
      : Object.fromEntries(
          Object.entries(side).map(([name, { artifacts }]) => [
            name,
            { artifacts: artifacts.map((artifact) => (artifact.uri === undefined ? artifact : { ...artifact, uri: containerUri(artifact.uri) })) },
          ]),
        );
  const [given, made] = [told(input.inputs?.artifacts), told(input.outputs?.artifacts)];
  return {
    ...input,
    ...(given === undefined ? {} : { inputs: { ...input.inputs, artifacts: given } }),
    ...(made === undefined ? {} : { outputs: { ...input.outputs, artifacts: made } }),
  };
}

/** Reads an executor's output file; an unknown field or a wrong type is an error that names its path. */
export function parseExecutorOutput(text: string): ExecutorOutput {
  let document: JsonValue;
  try {
    document = parseJsonText(text);
  } catch (error) {
    throw new UserError(`executor output: not valid JSON: ${messageOf(error)}`, { cause: error });
  }
  const fields = fieldsOf(document, "$", ["parameterValues", "artifacts"]);
  const artifacts = Object.entries(expectObject(fields.get("artifacts") ?? {}, "$.artifacts")).map(([name, value]): [string, ArtifactList] => {
    const path = `$.artifacts[${JSON.stringify(name)}]`;
    const list = fieldsOf(value, path, ["artifacts"]).get("artifacts") ?? [];
    if (!Array.isArray(list)) throw outputError(`${path}.artifacts`, "must be a list");
    const items: readonly JsonValue[] = list;
    return [name, { artifacts: items.map((item, index) => parseArtifact(item, `${path}.artifacts[${index}]`)) }];
  });
  return {
    parameterValues: expectObject(fields.get("parameterValues") ?? {}, "$.parameterValues"),
    artifacts: Object.fromEntries(artifacts),
  };
}

/** No bucket can be called so: below it lies, in a container, what comes from elsewhere than object stores. */
const ELSEWHERE = "minio://.imports/";

/**
 * The URI of an artifact as a container is told it. Programs know paths for the URIs of object stores alone; one of the web or of a
 * directory is told as one of these, so that they find what was brought for it.
 */
export function containerUri(uri: string): string {
  const [, scheme = "", rest = ""] = /^(https?|file):\/\/\/?(.*)$/su.exec(uri) ?? [];
  return scheme === "" ? uri : `${ELSEWHERE}${scheme}/${rest}`;
}

/** The URI that a container was told as this one. */
export function uriOfContainer(told: string): string {
  if (!told.startsWith(ELSEWHERE)) return told;
  const [scheme = "", ...rest] = told.slice(ELSEWHERE.length).split("/");
  return `${scheme}://${scheme === "file" ? "/" : ""}${rest.join("/")}`;
}

const SCHEMES: readonly (readonly [scheme: string, directory: string])[] = [
  ["minio://", "minio/"],
  ["s3://", "s3/"],
  ["gs://", "gcs/"],
];

function localPathUnder(prefix: string, uri: string): string {
  if (uri.startsWith("oci://")) return `/oci/${uri.slice("oci://".length).replaceAll("/", "_")}/models`;
  for (const [scheme, directory] of SCHEMES) {
    if (uri.startsWith(scheme)) return `${prefix}${directory}${uri.slice(scheme.length)}`;
  }
  return uri;
}

/** Where a container finds the object at `uri`; a URI of another scheme is returned unchanged. */
export function localPathOfUri(uri: string): string {
  return localPathUnder("/", containerUri(uri));
}

/** Where a container finds an artifact: its custom path, its place in the workspace, or the path of its URI. */
export function localPathOfArtifact(artifact: RuntimeArtifact): string {
  if (artifact.customPath !== undefined && artifact.customPath !== "") return artifact.customPath;
  const inWorkspace = artifact.metadata?.["_kfp_workspace"] === true;
  return localPathUnder(inWorkspace ? "/kfp-workspace/.artifacts/" : "/", containerUri(artifact.uri ?? ""));
}

/** A number in decimal without an exponent, `5` rather than `5.0`. */
function numberText(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = "", lead = "", fraction = "", exponentText = "0"] = match;
  const exponent = Number(exponentText);
  const digits = lead + fraction;
  return exponent < 0 ? `${sign}0.${"0".repeat(-exponent - 1)}${digits}` : sign + digits.padEnd(exponent + 1, "0");
}

/** The text form of a parameter value, as containers see it: null is empty, lists and structs are compact JSON. */
export function parameterText(value: JsonValue): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value);
  return JSON.stringify(value);
}

const TRUE_TEXTS = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE_TEXTS = ["0", "f", "F", "false", "FALSE", "False"];

/** Reads the text of the parameter `name` as a value of its declared type. */
export function parameterFromText(name: string, text: string, type: ParameterType): JsonValue {
  const fail = (expected: string): UserError => {
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    return new UserError(`parameter "${name}": expected ${expected} (${type}), got ${JSON.stringify(shown)}`);
  };
  const trimmed = text.trim();
  switch (type) {
    case "STRING":
      return text;
    case "NUMBER_INTEGER": {
      if (!/^[+-]?\d+$/.test(trimmed)) throw fail("an integer");
      const value = Number(trimmed);
      if (!Number.isSafeInteger(value)) throw fail("an integer within ±(2^53 − 1)");
      return value === 0 ? 0 : value;
    }
    case "NUMBER_DOUBLE": {
      if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed)) throw fail("a number");
      const value = Number(trimmed);
      if (!Number.isFinite(value)) throw fail("a finite number");
      return value;
    }
    case "BOOLEAN":
      if (TRUE_TEXTS.includes(trimmed)) return true;
      if (FALSE_TEXTS.includes(trimmed)) return false;
      throw fail("a boolean");
    case "LIST":
    case "STRUCT":
    case "TASK_FINAL_STATUS":
    case "TASK_CONFIG": {
      const expected = type === "LIST" ? "a JSON list" : "a JSON object";
      let value: JsonValue;
      try {
        value = parseJsonText(text);
      } catch {
        throw fail(expected);
      }
      if (type === "LIST" ? !Array.isArray(value) : !isJsonObject(value)) throw fail(expected);
      return value;
    }
  }
}
