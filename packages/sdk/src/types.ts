import { UserError } from "@sluice/kubernetes";

/** The parameter types the intermediate representation knows. */
export type ParameterTypeName = "NUMBER_DOUBLE" | "NUMBER_INTEGER" | "STRING" | "BOOLEAN" | "LIST" | "STRUCT" | "TASK_FINAL_STATUS" | "TASK_CONFIG";

/** Any value a parameter can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A parameter's declared type, carrying its TypeScript type and whether callers may leave it out. */
export interface ParameterType<T = unknown, Optional extends boolean = boolean> {
  readonly kind: "parameter";
  readonly parameterType: ParameterTypeName;
  readonly optional: Optional;
  readonly defaultValue?: JsonValue;
  readonly element?: ParameterType;
  /** The only values it takes. */
  readonly literals?: readonly JsonValue[];
  readonly description?: string;
  readonly phantom?: T;
}

/** An artifact's declared type; `list` marks a list of artifacts, as a loop collects them. */
export interface ArtifactType<List extends boolean = boolean, Optional extends boolean = boolean> {
  readonly kind: "artifact";
  readonly schemaTitle: string;
  readonly list: List;
  readonly optional: Optional;
  readonly description?: string;
}

/** The declared type of one input or output. */
export type PortType = ParameterType | ArtifactType;
/** Inputs or outputs by name. */
export type Ports = Readonly<Record<string, PortType>>;

/** What an input or output is for. */
export interface Description {
  readonly description?: string;
}
/** A default makes the input optional for callers. */
export interface Default<T> extends Description {
  readonly default: T;
}

function parameter<T>(
  parameterType: ParameterTypeName,
  options: Description | Default<T> = {},
  more: Pick<ParameterType, "element" | "literals"> = {},
): ParameterType<T> {
  const { description } = options;
  const hasDefault = "default" in options;
  return {
    kind: "parameter",
    parameterType,
    optional: hasDefault,
    ...(hasDefault ? { defaultValue: options.default as JsonValue } : {}),
    ...(description === undefined ? {} : { description }),
    ...more,
  };
}

/** A floating-point number. */
export function number(options: Default<number>): ParameterType<number, true>;
export function number(options?: Description): ParameterType<number, false>;
export function number(options?: Description | Default<number>): ParameterType<number> {
  return parameter("NUMBER_DOUBLE", options);
}

/** A whole number. */
export function integer(options: Default<number>): ParameterType<number, true>;
export function integer(options?: Description): ParameterType<number, false>;
export function integer(options?: Description | Default<number>): ParameterType<number> {
  return parameter("NUMBER_INTEGER", options);
}

/** A string. */
export function string(options: Default<string>): ParameterType<string, true>;
export function string(options?: Description): ParameterType<string, false>;
export function string(options?: Description | Default<string>): ParameterType<string> {
  return parameter("STRING", options);
}

/** A boolean. */
export function boolean(options: Default<boolean>): ParameterType<boolean, true>;
export function boolean(options?: Description): ParameterType<boolean, false>;
export function boolean(options?: Description | Default<boolean>): ParameterType<boolean> {
  return parameter("BOOLEAN", options);
}

/** A list whose elements have the given type. */
export function list<T>(element: ParameterType<T>, options: Default<readonly T[]>): ParameterType<readonly T[], true>;
export function list<T>(element: ParameterType<T>, options?: Description): ParameterType<readonly T[], false>;
export function list<T>(element: ParameterType<T>, options?: Description | Default<readonly T[]>): ParameterType<readonly T[]> {
  return parameter("LIST", options, { element });
}

/** A JSON object. */
export function struct<T = Readonly<Record<string, JsonValue>>>(options: Default<T>): ParameterType<NoInfer<T>, true>;
export function struct<T = Readonly<Record<string, JsonValue>>>(options?: Description): ParameterType<NoInfer<T>, false>;
export function struct<T>(options?: Description | Default<T>): ParameterType<T> {
  return parameter("STRUCT", options);
}

/** One of a few values. */
export function literal<const L extends string | number | boolean>(
  values: readonly [L, ...L[]],
  options: Default<NoInfer<L>>,
): ParameterType<L, true>;
export function literal<const L extends string | number | boolean>(values: readonly [L, ...L[]], options?: Description): ParameterType<L, false>;
export function literal<L extends string | number | boolean>(values: readonly [L, ...L[]], options?: Description | Default<L>): ParameterType<L> {
  const names: readonly ParameterTypeName[] = values.map((value) => {
    if (typeof value === "number") return Number.isInteger(value) ? "NUMBER_INTEGER" : "NUMBER_DOUBLE";
    return typeof value === "string" ? "STRING" : "BOOLEAN";
  });
  const name = names.includes("NUMBER_DOUBLE") ? "NUMBER_DOUBLE" : names[0];
  if (name === undefined || (!name.startsWith("NUMBER_") && names.some((other) => other !== name)))
    throw new UserError("literal() takes values of one type");
  return parameter(name, options, { literals: values });
}

/** An input that callers may leave out, and that is then not there. */
export function optional<T>(of: ParameterType<T, false>): ParameterType<T | undefined, true>;
export function optional<L extends boolean>(of: ArtifactType<L, false>): ArtifactType<L, true>;
export function optional(of: PortType): PortType {
  return { ...of, optional: true };
}

/** What an exit task learns about the tasks it followed. */
export interface FinalStatus {
  readonly state: string;
  readonly pipelineJobResourceName: string;
  readonly pipelineTaskName: string;
  /** Empty unless it failed. */
  readonly error?: { readonly code?: number; readonly message?: string };
}

/** An exit task's input that the platform fills with the final status; callers leave it out. */
export function finalStatus(): ParameterType<FinalStatus, true> {
  return { kind: "parameter", parameterType: "TASK_FINAL_STATUS", optional: true };
}

/** Settings of a task that its component hands on to a workload it makes, as Kubernetes writes them. */
export interface TaskConfig {
  readonly resources?: Readonly<Record<string, JsonValue>>;
  readonly env?: readonly JsonValue[];
  readonly affinity?: Readonly<Record<string, JsonValue>>;
  readonly tolerations?: readonly JsonValue[];
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly volumes?: readonly JsonValue[];
  readonly volumeMounts?: readonly JsonValue[];
}

/** An input that the platform fills with those of the task's settings that the component's `passthrough` names; callers leave it out. */
export function taskConfig(): ParameterType<TaskConfig, true> {
  return { kind: "parameter", parameterType: "TASK_CONFIG", optional: true };
}

/** An artifact of any schema, `system.Artifact` unless named. */
export function artifact(schemaTitle = "system.Artifact", { description }: Description = {}): ArtifactType<false, false> {
  return { kind: "artifact", schemaTitle, list: false, optional: false, ...(description === undefined ? {} : { description }) };
}
/** A dataset artifact. */
export function dataset(options?: Description): ArtifactType<false, false> {
  return artifact("system.Dataset", options);
}
/** A model artifact. */
export function model(options?: Description): ArtifactType<false, false> {
  return artifact("system.Model", options);
}
/** A metrics artifact, whose metadata holds the metrics. */
export function metrics(options?: Description): ArtifactType<false, false> {
  return artifact("system.Metrics", options);
}
/** A classification's metrics, whose metadata holds a confusion matrix and a ROC curve. */
export function classificationMetrics(options?: Description): ArtifactType<false, false> {
  return artifact("system.ClassificationMetrics", options);
}
/** A classification's metrics by slices of the data. */
export function slicedClassificationMetrics(options?: Description): ArtifactType<false, false> {
  return artifact("system.SlicedClassificationMetrics", options);
}
/** An HTML artifact the dashboard shows. */
export function html(options?: Description): ArtifactType<false, false> {
  return artifact("system.HTML", options);
}
/** A Markdown artifact the dashboard shows. */
export function markdown(options?: Description): ArtifactType<false, false> {
  return artifact("system.Markdown", options);
}
/** A list of artifacts of one type, for an input that takes what a loop collected. */
export function artifacts(of: ArtifactType<false, false>): ArtifactType<true, false> {
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
