/** The pipeline specification (IR 2.1.0) as types: protojson names, as the compiler writes them. */

/** A JSON value, as `google.protobuf.Value` carries it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object, as `google.protobuf.Struct` carries it. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A map from names to messages. */
export type Named<T> = Readonly<Record<string, T>>;

/** The parameter types a component may declare. */
export type ParameterType = "NUMBER_DOUBLE" | "NUMBER_INTEGER" | "STRING" | "BOOLEAN" | "LIST" | "STRUCT" | "TASK_FINAL_STATUS" | "TASK_CONFIG";

/** The deprecated spelling of a parameter's type. */
export type PrimitiveType = "INT" | "DOUBLE" | "STRING";

/** When a task starts, given how the tasks before it ended. */
export type TriggerStrategy = "TRIGGER_STRATEGY_UNSPECIFIED" | "ALL_UPSTREAM_TASKS_SUCCEEDED" | "ALL_UPSTREAM_TASKS_COMPLETED";

/** One compiled pipeline. */
export interface PipelineSpec {
  readonly pipelineInfo: PipelineInfo;
  readonly root: ComponentSpec;
  readonly components?: Named<ComponentSpec>;
  readonly deploymentSpec?: DeploymentSpec;
  readonly schemaVersion: "2.1.0";
  readonly sdkVersion?: string;
  readonly defaultPipelineRoot?: string;
}

/** The pipeline's name and texts. */
export interface PipelineInfo {
  readonly name: string;
  readonly displayName?: string;
  readonly description?: string;
}

/** A component: its interface, and either a graph of tasks or an executor. */
export interface ComponentSpec {
  readonly inputDefinitions?: InputDefinitions;
  readonly outputDefinitions?: OutputDefinitions;
  readonly dag?: DagSpec;
  readonly executorLabel?: string;
  readonly singlePlatformSpecs?: readonly SinglePlatformSpec[];
  readonly taskConfigPassthroughs?: readonly TaskConfigPassthrough[];
}

/** A part of the task's configuration handed to the component itself. */
export interface TaskConfigPassthrough {
  readonly field?: string;
  readonly applyToTask?: boolean;
}

/** What a component takes. */
export interface InputDefinitions {
  readonly parameters?: Named<InputParameterSpec>;
  readonly artifacts?: Named<InputArtifactSpec>;
}

/** What a component gives. */
export interface OutputDefinitions {
  readonly parameters?: Named<OutputParameterSpec>;
  readonly artifacts?: Named<OutputArtifactSpec>;
}

/** One declared input parameter. */
export interface InputParameterSpec {
  readonly type?: PrimitiveType;
  readonly parameterType?: ParameterType;
  readonly defaultValue?: JsonValue;
  readonly isOptional?: boolean;
  readonly description?: string;
  readonly literals?: readonly JsonValue[];
}

/** One declared output parameter. */
export interface OutputParameterSpec {
  readonly type?: PrimitiveType;
  readonly parameterType?: ParameterType;
  readonly description?: string;
}

/** One declared input artifact. */
export interface InputArtifactSpec {
  readonly artifactType?: ArtifactTypeSchema;
  readonly isArtifactList?: boolean;
  readonly isOptional?: boolean;
  readonly description?: string;
}

/** One declared output artifact. */
export interface OutputArtifactSpec {
  readonly artifactType?: ArtifactTypeSchema;
  readonly metadata?: JsonObject;
  readonly properties?: JsonObject;
  readonly customProperties?: JsonObject;
  readonly isArtifactList?: boolean;
  readonly description?: string;
}

/** An artifact's type: a title, or an inline schema. */
export interface ArtifactTypeSchema {
  readonly schemaTitle?: string;
  readonly schemaUri?: string;
  readonly instanceSchema?: string;
  readonly schemaVersion?: string;
}

/** A graph of tasks and what it gives its parent. */
export interface DagSpec {
  readonly tasks?: Named<TaskSpec>;
  readonly outputs?: DagOutputs;
}

/** Where a graph's outputs come from. */
export interface DagOutputs {
  readonly parameters?: Named<DagOutputParameter>;
  readonly artifacts?: Named<DagOutputArtifact>;
}

/** A graph's output parameter: of one task, or of the first of several that ran. */
export interface DagOutputParameter {
  readonly valueFromParameter?: ParameterSelector;
  readonly valueFromOneof?: { readonly parameterSelectors?: readonly ParameterSelector[] };
}

/** A graph's output artifact. */
export interface DagOutputArtifact {
  readonly artifactSelectors?: readonly ArtifactSelector[];
}

/** One task's output parameter. */
export interface ParameterSelector {
  readonly producerSubtask: string;
  readonly outputParameterKey: string;
}

/** One task's output artifact. */
export interface ArtifactSelector {
  readonly producerSubtask: string;
  readonly outputArtifactKey: string;
}

/** One task of a graph. */
export interface TaskSpec {
  readonly taskInfo?: { readonly name?: string };
  readonly componentRef: { readonly name: string };
  readonly inputs?: TaskInputs;
  readonly dependentTasks?: readonly string[];
  readonly triggerPolicy?: { readonly condition?: string; readonly strategy?: TriggerStrategy };
  readonly cachingOptions?: { readonly enableCache?: boolean; readonly cacheKey?: string };
  readonly retryPolicy?: RetryPolicy;
  readonly parameterIterator?: ParameterIterator;
  readonly artifactIterator?: ArtifactIterator;
  readonly iteratorPolicy?: { readonly parallelismLimit?: number };
}

/** How often and how patiently a task is tried again. */
export interface RetryPolicy {
  readonly maxRetryCount?: number;
  readonly backoffDuration?: string;
  readonly backoffFactor?: number;
  readonly backoffMaxDuration?: string;
}

/** A loop over the items of a list parameter. */
export interface ParameterIterator {
  readonly items: { readonly raw?: string; readonly inputParameter?: string };
  readonly itemInput: string;
}

/** A loop over the items of a list of artifacts. */
export interface ArtifactIterator {
  readonly items: { readonly inputArtifact: string };
  readonly itemInput: string;
}

/** What a task is given. */
export interface TaskInputs {
  readonly parameters?: Named<TaskInputParameter>;
  readonly artifacts?: Named<TaskInputArtifact>;
}

/** Where a task's parameter comes from: exactly one source is set. */
export interface TaskInputParameter {
  readonly taskOutputParameter?: { readonly producerTask: string; readonly outputParameterKey: string };
  readonly runtimeValue?: RuntimeValue;
  readonly componentInputParameter?: string;
  readonly taskFinalStatus?: { readonly producerTask: string };
  readonly parameterExpressionSelector?: string;
}

/** Where a task's artifact comes from: exactly one source is set. */
export interface TaskInputArtifact {
  readonly taskOutputArtifact?: { readonly producerTask: string; readonly outputArtifactKey: string };
  readonly componentInputArtifact?: string;
}

/** A constant, or a parameter of the run. */
export interface RuntimeValue {
  readonly constant?: JsonValue;
  readonly constantValue?: JsonObject;
  readonly runtimeParameter?: string;
}

/** The executors of a pipeline, by label. */
export interface DeploymentSpec {
  readonly executors?: Named<ExecutorSpec>;
}

/** How a component runs: exactly one is set. */
export interface ExecutorSpec {
  readonly container?: ContainerSpec;
  readonly importer?: ImporterSpec;
}

/** A container to run. */
export interface ContainerSpec {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly resources?: ContainerResources;
}

/** What a container asks for. */
export interface ContainerResources {
  readonly cpuLimit?: number;
  readonly memoryLimit?: number;
  readonly cpuRequest?: number;
  readonly memoryRequest?: number;
  readonly resourceCpuLimit?: string;
  readonly resourceMemoryLimit?: string;
  readonly resourceCpuRequest?: string;
  readonly resourceMemoryRequest?: string;
  readonly accelerator?: {
    readonly type?: string;
    readonly count?: number | string;
    readonly resourceType?: string;
    readonly resourceCount?: string;
  };
}

/** An artifact taken in from an address. */
export interface ImporterSpec {
  readonly artifactUri: RuntimeValue;
  readonly typeSchema?: ArtifactTypeSchema;
  readonly properties?: JsonObject;
  readonly customProperties?: JsonObject;
  readonly metadata?: JsonObject;
  readonly reimport?: boolean;
  readonly downloadToWorkspace?: boolean;
}

/** The second document: what is particular to a platform. */
export interface PlatformSpec {
  readonly platforms: { readonly kubernetes: SinglePlatformSpec };
}

/** One platform's settings. */
export interface SinglePlatformSpec {
  readonly deploymentSpec?: { readonly executors?: Named<KubernetesExecutorConfig> };
  readonly platform?: string;
  readonly version?: string;
  readonly config?: JsonObject;
  readonly pipelineConfig?: PipelineConfig;
}

/** Settings of the whole run. */
export interface PipelineConfig {
  readonly resourceTtlOnCompletion?: number;
  readonly resourceTtlOnSuccess?: number;
  readonly resourceTtlOnFailure?: number;
  readonly activeDeadlineSeconds?: number | string;
  readonly workspace?: { readonly size?: string; readonly kubernetes?: { readonly pvcSpecPatch?: JsonObject } };
}

/** What one executor's pod needs beyond its container. */
export interface KubernetesExecutorConfig {
  readonly secretAsVolume?: readonly SecretVolume[];
  readonly secretAsEnv?: readonly SecretEnv[];
  readonly configMapAsVolume?: readonly ConfigMapVolume[];
  readonly configMapAsEnv?: readonly ConfigMapEnv[];
  readonly pvcMount?: readonly PvcMount[];
  readonly nodeSelector?: { readonly labels?: Named<string>; readonly nodeSelectorJson?: TaskInputParameter };
  readonly podMetadata?: { readonly labels?: Named<string>; readonly annotations?: Named<string> };
  readonly imagePullSecret?: readonly { readonly secretName?: string; readonly secretNameParameter?: TaskInputParameter }[];
  readonly imagePullPolicy?: "Always" | "Never" | "IfNotPresent";
  readonly activeDeadlineSeconds?: number | string;
  readonly fieldPathAsEnv?: readonly { readonly name: string; readonly fieldPath: string }[];
  readonly tolerations?: readonly Toleration[];
  readonly emptyDirMounts?: readonly EmptyDirMount[];
  readonly securityContext?: SecurityContext;
  readonly enabledSharedMemory?: { readonly volumeName?: string; readonly size?: string };
  readonly genericEphemeralVolume?: readonly JsonObject[];
  readonly nodeAffinity?: readonly JsonObject[];
  readonly podAffinity?: readonly JsonObject[];
  readonly initContainers?: readonly JsonObject[];
}

/** A secret mounted as files. */
export interface SecretVolume {
  readonly secretName?: string;
  readonly secretNameParameter?: TaskInputParameter;
  readonly mountPath: string;
  readonly optional?: boolean;
}

/** A secret's keys as environment variables. */
export interface SecretEnv {
  readonly secretName?: string;
  readonly secretNameParameter?: TaskInputParameter;
  readonly keyToEnv?: readonly { readonly secretKey: string; readonly envVar: string }[];
  readonly optional?: boolean;
}

/** A config map mounted as files. */
export interface ConfigMapVolume {
  readonly configMapName?: string;
  readonly configMapNameParameter?: TaskInputParameter;
  readonly mountPath: string;
  readonly optional?: boolean;
}

/** A config map's keys as environment variables. */
export interface ConfigMapEnv {
  readonly configMapName?: string;
  readonly configMapNameParameter?: TaskInputParameter;
  readonly keyToEnv?: readonly { readonly configMapKey: string; readonly envVar: string }[];
  readonly optional?: boolean;
}

/** A volume claim mounted into the pod. */
export interface PvcMount {
  readonly taskOutputParameter?: { readonly producerTask: string; readonly outputParameterKey: string };
  readonly constant?: string;
  readonly componentInputParameter?: string;
  readonly pvcNameParameter?: TaskInputParameter;
  readonly mountPath: string;
  readonly subPath?: string;
}

/** A toleration, written out or computed. */
export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number | string;
  readonly tolerationJson?: TaskInputParameter;
}

/** A scratch directory. */
export interface EmptyDirMount {
  readonly volumeName: string;
  readonly mountPath: string;
  readonly medium?: string;
  readonly sizeLimit?: string;
}

/** Who the container runs as. */
export interface SecurityContext {
  readonly runAsUser?: number | string;
  readonly runAsGroup?: number | string;
  readonly runAsNonRoot?: boolean;
}
