import type { Kind, Shape } from "./ir-shape.ts";

const list = (kind: Kind): Kind => ({ list: kind });
const map = (kind: Kind): Kind => ({ map: kind });
const fields = (names: string, kind: Kind = "string"): Record<string, Kind> => Object.fromEntries(names.split(" ").map((name) => [name, kind]));
const shape = (of: Record<string, Kind>, rest: Omit<Shape, "fields"> = {}): Shape => ({ fields: of, ...rest });

const primitive: Kind = { oneOf: ["INT", "DOUBLE", "STRING"] };
const parameterType: Kind = {
  oneOf: ["NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"],
};
const artifactType = shape(fields("schemaTitle schemaUri instanceSchema schemaVersion"), {
  exactlyOne: ["schemaTitle", "schemaUri", "instanceSchema"],
});
const typed = { type: primitive, parameterType, description: "string" } as const;
const oneType = { exactlyOne: ["type", "parameterType"] };
const inputDefinitions = shape({
  parameters: map(shape({ ...typed, defaultValue: "value", isOptional: "boolean", literals: list("value") }, oneType)),
  artifacts: map(shape({ artifactType, isArtifactList: "boolean", isOptional: "boolean", description: "string" })),
});
const outputDefinitions = shape({
  parameters: map(shape(typed, oneType)),
  artifacts: map(
    shape({ artifactType, isArtifactList: "boolean", description: "string", ...fields("metadata properties customProperties", "struct") }),
  ),
});

const runtimeValue = shape(
  { constant: "value", constantValue: "struct", runtimeParameter: "string" },
  { exactlyOne: ["constant", "constantValue", "runtimeParameter"] },
);
const all = (names: string): Shape => shape(fields(names), { required: names.split(" ") });
const inputParameter = shape(
  {
    taskOutputParameter: all("producerTask outputParameterKey"),
    runtimeValue,
    componentInputParameter: "string",
    taskFinalStatus: all("producerTask"),
    parameterExpressionSelector: "string",
  },
  { exactlyOne: ["taskOutputParameter", "runtimeValue", "componentInputParameter", "taskFinalStatus"] },
);
const inputArtifact = shape(
  { taskOutputArtifact: all("producerTask outputArtifactKey"), componentInputArtifact: "string" },
  { exactlyOne: ["taskOutputArtifact", "componentInputArtifact"] },
);
const iterator = (items: Shape): Shape => shape({ items, itemInput: "string" }, { required: ["items", "itemInput"] });
const task = shape(
  {
    taskInfo: shape(fields("name")),
    componentRef: all("name"),
    inputs: shape({ parameters: map(inputParameter), artifacts: map(inputArtifact) }),
    dependentTasks: list("string"),
    triggerPolicy: shape({
      condition: "string",
      strategy: { oneOf: ["TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"] },
    }),
    cachingOptions: shape({ enableCache: "boolean", cacheKey: "string" }),
    retryPolicy: shape({ maxRetryCount: "integer", backoffDuration: "string", backoffFactor: "number", backoffMaxDuration: "string" }),
    parameterIterator: iterator(shape(fields("raw inputParameter"), { exactlyOne: ["raw", "inputParameter"] })),
    artifactIterator: iterator(all("inputArtifact")),
    iteratorPolicy: shape({ parallelismLimit: "integer" }),
  },
  { required: ["componentRef"], atMostOne: ["parameterIterator", "artifactIterator"] },
);
const parameterSelector = all("producerSubtask outputParameterKey");
const dag = shape({
  tasks: map(task),
  outputs: shape({
    parameters: map(
      shape(
        { valueFromParameter: parameterSelector, valueFromOneof: shape({ parameterSelectors: list(parameterSelector) }) },
        { exactlyOne: ["valueFromParameter", "valueFromOneof"] },
      ),
    ),
    artifacts: map(shape({ artifactSelectors: list(all("producerSubtask outputArtifactKey")) })),
  }),
});

const open = (of: Record<string, Kind>, required: readonly string[] = []): Shape => shape(of, { required, discardUnknown: true });
const container = open(
  {
    image: "string",
    command: list("string"),
    args: list("string"),
    env: list(open(fields("name value"), ["name"])),
    resources: open({
      ...fields("cpuLimit memoryLimit cpuRequest memoryRequest", "number"),
      ...fields("resourceCpuLimit resourceMemoryLimit resourceCpuRequest resourceMemoryRequest"),
      accelerator: open({ type: "string", count: "int64", resourceType: "string", resourceCount: "string" }),
    }),
  },
  ["image"],
);
const importer = shape(
  {
    artifactUri: runtimeValue,
    typeSchema: artifactType,
    ...fields("properties customProperties metadata", "struct"),
    ...fields("reimport downloadToWorkspace", "boolean"),
  },
  { required: ["artifactUri"] },
);

const texts = map("string");
const mounted = (name: string): Kind =>
  list(shape({ ...fields(`${name} mountPath`), optional: "boolean", [`${name}Parameter`]: inputParameter }, { required: ["mountPath"] }));
const asEnv = (name: string, key: string): Kind =>
  list(shape({ [name]: "string", [`${name}Parameter`]: inputParameter, keyToEnv: list(all(`${key} envVar`)), optional: "boolean" }));
const kubernetesExecutor = shape({
  secretAsVolume: mounted("secretName"),
  configMapAsVolume: mounted("configMapName"),
  secretAsEnv: asEnv("secretName", "secretKey"),
  configMapAsEnv: asEnv("configMapName", "configMapKey"),
  pvcMount: list(
    shape(
      {
        ...fields("constant componentInputParameter mountPath subPath"),
        taskOutputParameter: all("producerTask outputParameterKey"),
        pvcNameParameter: inputParameter,
      },
      { required: ["mountPath"], atMostOne: ["taskOutputParameter", "constant", "componentInputParameter"] },
    ),
  ),
  nodeSelector: shape({ labels: texts, nodeSelectorJson: inputParameter }),
  podMetadata: shape({ labels: texts, annotations: texts }),
  imagePullSecret: list(shape({ secretName: "string", secretNameParameter: inputParameter })),
  imagePullPolicy: { oneOf: ["Always", "Never", "IfNotPresent"] },
  activeDeadlineSeconds: "integer",
  fieldPathAsEnv: list(all("name fieldPath")),
  tolerations: list(shape({ ...fields("key operator value effect"), tolerationSeconds: "integer", tolerationJson: inputParameter })),
  emptyDirMounts: list(shape(fields("volumeName mountPath medium sizeLimit"), { required: ["volumeName", "mountPath"] })),
  securityContext: shape({ runAsUser: "integer", runAsGroup: "integer", runAsNonRoot: "boolean" }),
  enabledSharedMemory: shape(fields("volumeName size")),
  ...fields("genericEphemeralVolume nodeAffinity podAffinity initContainers", list("struct")),
});
const singlePlatform = shape({
  deploymentSpec: shape({ executors: map(kubernetesExecutor) }),
  ...fields("platform version"),
  config: "struct",
  pipelineConfig: shape({
    ...fields("resourceTtlOnCompletion resourceTtlOnSuccess resourceTtlOnFailure activeDeadlineSeconds", "integer"),
    workspace: shape({ size: "string", kubernetes: shape({ pvcSpecPatch: "struct" }) }),
  }),
});
const component = shape(
  {
    inputDefinitions,
    outputDefinitions,
    dag,
    executorLabel: "string",
    singlePlatformSpecs: list(singlePlatform),
    taskConfigPassthroughs: list(shape({ field: "string", applyToTask: "boolean" })),
  },
  { exactlyOne: ["dag", "executorLabel"] },
);

/** The shape of a pipeline specification. */
export const pipelineShape: Shape = shape(
  {
    pipelineInfo: shape(fields("name displayName description"), { required: ["name"] }),
    root: component,
    components: map(component),
    deploymentSpec: shape({ executors: map(shape({ container, importer }, { exactlyOne: ["container", "importer"] })) }),
    schemaVersion: { oneOf: ["2.1.0"] },
    ...fields("sdkVersion defaultPipelineRoot"),
  },
  { required: ["schemaVersion", "pipelineInfo", "root"] },
);

/** The shape of a platform specification. */
export const platformShape: Shape = shape(
  { platforms: shape({ kubernetes: singlePlatform }, { required: ["kubernetes"] }) },
  { required: ["platforms"] },
);
