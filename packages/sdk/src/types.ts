import { UserError } from "@sluice/kubernetes";

/** The parameter types the intermediate representation knows. */
export type ParameterTypeName = "NUMBER_DOUBLE" | "NUMBER_INTEGER" | "STRING" | "BOOLEAN" | "LIST" | "STRUCT" | "TASK_FINAL_STATUS";

/** Any value a parameter can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A parameter's declared type, carrying its TypeScript type and whether callers may leave it out. */
export interface ParameterType<T = unknown, Optional extends boolean = boolean> {
  readonly kind: "parameter";
  readonly parameterType: ParameterTypeName;
  readonly optional: Optional;
  readonly defaultValue?: JsonValue;
  readonly element?: ParameterType;
  readonly phantom?: T;
}

/** An artifact's declared type; `list` marks a list of artifacts, as a loop collects them. */
export interface ArtifactType<List extends boolean = boolean> {
  readonly kind: "artifact";
  readonly schemaTitle: string;
  readonly list: List;
}

/** The declared type of one input or output. */
export type PortType = ParameterType | ArtifactType;
/** Inputs or outputs by name. */
export type Ports = Readonly<Record<string, PortType>>;

/** A default makes the input optional for callers. */
export interface Default<T> {
  readonly default: T;
}

function parameter<T>(parameterType: ParameterTypeName, options?: Default<T>, element?: ParameterType): ParameterType<T> {
  return {
    kind: "parameter",
    parameterType,
    optional: options !== undefined,
    ...(options === undefined ? {} : { defaultValue: options.default as JsonValue }),
    ...(element === undefined ? {} : { element }),
  };
}

/** A floating-point number. */
export function number(): ParameterType<number, false>;
export function number(options: Default<number>): ParameterType<number, true>;
export function number(options?: Default<number>): ParameterType<number> {
  return parameter("NUMBER_DOUBLE", options);
}

/** A whole number. */
export function integer(): ParameterType<number, false>;
export function integer(options: Default<number>): ParameterType<number, true>;
export function integer(options?: Default<number>): ParameterType<number> {
  return parameter("NUMBER_INTEGER", options);
}

/** A string. */
export function string(): ParameterType<string, false>;
export function string(options: Default<string>): ParameterType<string, true>;
export function string(options?: Default<string>): ParameterType<string> {
  return parameter("STRING", options);
}

/** A boolean. */
export function boolean(): ParameterType<boolean, false>;
export function boolean(options: Default<boolean>): ParameterType<boolean, true>;
export function boolean(options?: Default<boolean>): ParameterType<boolean> {
  return parameter("BOOLEAN", options);
}

/** A list whose elements have the given type. */
export function list<T>(element: ParameterType<T>): ParameterType<readonly T[], false>;
export function list<T>(element: ParameterType<T>, options: Default<readonly T[]>): ParameterType<readonly T[], true>;
export function list<T>(element: ParameterType<T>, options?: Default<readonly T[]>): ParameterType<readonly T[]> {
  return parameter("LIST", options, element);
}

/** A JSON object. */
export function struct<T = Readonly<Record<string, JsonValue>>>(): ParameterType<T, false>;
export function struct<T = Readonly<Record<string, JsonValue>>>(options: Default<T>): ParameterType<T, true>;
export function struct<T>(options?: Default<T>): ParameterType<T> {
  return parameter("STRUCT", options);
}

/** What an exit task learns about the tasks it followed. */
export interface FinalStatus {
  readonly state: string;
  readonly pipelineJobResourceName: string;
  readonly pipelineTaskName: string;
}

/** An exit task's input that the platform fills with the final status; callers leave it out. */
export function finalStatus(): ParameterType<FinalStatus, true> {
  return { kind: "parameter", parameterType: "TASK_FINAL_STATUS", optional: true };
}

/** An artifact of any schema, `system.Artifact` unless named. */
export function artifact(schemaTitle = "system.Artifact"): ArtifactType<false> {
  return { kind: "artifact", schemaTitle, list: false };
}
/** A dataset artifact. */
export function dataset(): ArtifactType<false> {
  return artifact("system.Dataset");
}
/** A model artifact. */
export function model(): ArtifactType<false> {
  return artifact("system.Model");
}
/** A metrics artifact, whose metadata holds the metrics. */
export function metrics(): ArtifactType<false> {
  return artifact("system.Metrics");
}
/** A classification's metrics, whose metadata holds a confusion matrix and a ROC curve. */
export function classificationMetrics(): ArtifactType<false> {
  return artifact("system.ClassificationMetrics");
}
/** An HTML artifact the dashboard shows. */
export function html(): ArtifactType<false> {
  return artifact("system.HTML");
}
/** A Markdown artifact the dashboard shows. */
export function markdown(): ArtifactType<false> {
  return artifact("system.Markdown");
}
/** A list of artifacts of one type, for an input that takes what a loop collected. */
export function artifacts(of: ArtifactType<false>): ArtifactType<true> {
  return { ...of, list: true };
}

/** Throws unless a name can be an input, an output or a component. */
export function checkName(what: string, name: string, pattern: RegExp): void {
  if (!pattern.test(name))
    throw new UserError(`${what} "${name}" is not a valid name`, {
      fix: `use a name matching ${pattern.source}`,
    });
}

/** Throws unless every input or output name can be one. */
export function checkPorts(owner: string, ports: Ports): void {
  for (const name of Object.keys(ports)) checkName(`${owner}:`, name, /^[A-Za-z_][A-Za-z0-9_]*$/u);
}
