import { expect, test } from "vitest";
import { compile } from "./compile.ts";
import { everyConstruct } from "./every-construct.fixture.ts";
import { parity } from "./parity.fixture.ts";

const ir = [compile(everyConstruct), compile(parity)].join("\n");

/**
 * Every name of the Python DSL (kfp 2.17): what shows in compiled fixtures that the SDK has it, or why that need not be shown.
 * `clients/test_sdk_parity.py` asks Python whether any is missing here.
 */
const NAMES: Readonly<Record<string, RegExp | string>> = {
  // kfp.dsl
  Artifact: /schemaTitle: system\./u,
  ClassificationMetrics: /system\.ClassificationMetrics/u,
  Collected: /isArtifactList: true/u,
  ConcatPlaceholder: /\{\\?"Concat\\?":/u,
  Condition: "the old name of If",
  ContainerSpec: /image: busybox/u,
  Dataset: /system\.Dataset/u,
  Elif: /!\(.*\) && /u,
  Else: /comp-condition-branches-1/u,
  ExitHandler: /comp-exit-handler-1/u,
  HTML: /system\.HTML/u,
  If: /triggerPolicy:\n +condition:/u,
  IfPresentPlaceholder: /\{\\?"IfPresent\\?":/u,
  Input: /componentInputArtifact/u,
  InputPath: /inputs\.artifacts\['model'\]\.path/u,
  KubernetesWorkspaceConfig: /pvcSpecPatch/u,
  Markdown: "markdown(), as html()",
  Metrics: "metrics(), as model()",
  Model: /system\.Model/u,
  OneOf: /oneof-1/u,
  Output: /outputs\.artifacts\['out'\]/u,
  OutputPath: /outputs\.parameters\['name'\]\.output_file/u,
  PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER: "placeholders.pipelineJobCreateTimeUtc, as pipelineJobName",
  PIPELINE_JOB_ID_PLACEHOLDER: "placeholders.pipelineJobId, as pipelineJobName",
  PIPELINE_JOB_NAME_PLACEHOLDER: /\{\{\$\.pipeline_job_name\}\}/u,
  PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER: "placeholders.pipelineJobResourceName, as pipelineJobName",
  PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER: "placeholders.pipelineJobScheduleTimeUtc, as pipelineJobName",
  PIPELINE_ROOT_PLACEHOLDER: "placeholders.pipelineRoot, as pipelineJobName",
  PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER: /\{\{\$\}\}/u,
  PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER: "placeholders.executorOutputPath, as pipelineJobName",
  PIPELINE_TASK_ID_PLACEHOLDER: "placeholders.pipelineTaskId, as pipelineJobName",
  PIPELINE_TASK_NAME_PLACEHOLDER: "placeholders.pipelineTaskName, as pipelineJobName",
  ParallelFor: /parameterIterator/u,
  PipelineConfig: /resourceTtlOnCompletion/u,
  PipelineTask: /taskInfo/u,
  PipelineTaskFinalStatus: /taskFinalStatus/u,
  SlicedClassificationMetrics: /system\.SlicedClassificationMetrics/u,
  TaskConfig: /TASK_CONFIG/u,
  TaskConfigField: /field: RESOURCES/u,
  TaskConfigPassthrough: /applyToTask: true/u,
  WORKSPACE_PATH_PLACEHOLDER: /\{\{\$\.workspace_path\}\}/u,
  WorkspaceConfig: /workspace:/u,
  component: /- node\n/u,
  container_component: /image: busybox/u,
  get_uri: "an output's `uri` is unique, and may be set",
  importer: /importer:/u,
  notebook_component: "Jupyter notebooks are Python",
  pipeline: /pipelineInfo/u,
  run_notebook: "Jupyter notebooks are Python",

  // PipelineTask
  add_node_selector_constraint: "the old name of set_accelerator_type",
  after: /dependentTasks:\n +- exit-handler-1/u,
  ignore_upstream_failure: /strategy: ALL_UPSTREAM_TASKS_COMPLETED/u,
  register_pipeline_channels: "what Python's compiler does with values in settings, and ours by itself",
  set_accelerator_limit: /resourceCount: "2"/u,
  set_accelerator_type: /resourceType: nvidia\.com\/gpu/u,
  set_caching_options: /cacheKey: key/u,
  set_container_image: /image: "\{\{\$\.inputs\.parameters\['pipelinechannel--image'\]\}\}"/u,
  set_cpu_limit: /resourceCpuLimit: "\{\{/u,
  set_cpu_request: /resourceCpuRequest: 500m/u,
  set_debug_pause: /ARGO_DEBUG_PAUSE_BEFORE/u,
  set_display_name: /name: Again/u,
  set_env_variable: /- name: A\n +value: b/u,
  set_gpu_limit: "the old name of set_accelerator_limit",
  set_memory_limit: /resourceMemoryLimit: "\{\{/u,
  set_memory_request: /resourceMemoryRequest: 1Gi/u,
  set_retry: /backoffFactor: 3/u,

  // kfp.kubernetes
  CreatePVC: /argostub\/createpvc/u,
  DeletePVC: /argostub\/deletepvc/u,
  add_ephemeral_volume: /genericEphemeralVolume/u,
  add_node_affinity: /nodeAffinity:\n +- matchExpressions/u,
  add_node_affinity_json: /nodeAffinityJson/u,
  add_node_selector: /disk: ssd/u,
  add_node_selector_json: /nodeSelectorJson/u,
  add_pod_annotation: /annotations:\n +c: d/u,
  add_pod_label: /labels:\n +a: b/u,
  add_toleration: /effect: NoExecute/u,
  add_toleration_json: /tolerationJson/u,
  empty_dir_mount: /emptyDirMounts/u,
  mount_pvc: /pvcMount/u,
  set_image_pull_policy: /imagePullPolicy: Always/u,
  set_image_pull_secrets: /imagePullSecret:/u,
  set_security_context: /runAsNonRoot: true/u,
  set_timeout: /activeDeadlineSeconds: "60"/u,
  use_config_map_as_env: /configMapAsEnv/u,
  use_config_map_as_volume: /configMapAsVolume/u,
  use_field_path_as_env: /fieldPathAsEnv/u,
  use_secret_as_env: /secretAsEnv/u,
  use_secret_as_volume: /secretAsVolume/u,
};

test.each(Object.entries(NAMES).filter((entry): entry is [string, RegExp] => entry[1] instanceof RegExp))("the SDK has %s", (_, shows) => {
  expect(ir).toMatch(shows);
});
