import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parsePipeline } from "../domain/ir-parse.ts";
import { advance, type EngineContext, newRun, type PodManifest, type RunState } from "./index.ts";

const context: EngineContext = {
  sha256: (text) => createHash("sha256").update(text).digest("hex"),
  settings: { serviceAccount: "default-editor" },
  isCacheEnabled: false,
};

/** Runs a pipeline whose pods all succeed with the parameters given by task name. */
function play(yaml: string, outputs: Record<string, Record<string, string | number>> = {}): { run: RunState; pods: PodManifest[]; claims: string[] } {
  const { pipelineSpec: spec, platformSpec: platform } = parsePipeline(yaml);
  const info = {
    id: "r1",
    displayName: "Run",
    namespace: "ns",
    spec,
    ...(platform ? { platform } : {}),
    parameters: {},
    pipelineRoot: "minio://b/root",
    createdAt: 0,
  };
  const run = newRun(info);
  const pods: PodManifest[] = [];
  const claims: string[] = [];
  const queue = [...advance(run, { type: "runStarted", time: 1 }, context).effects];
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    if (effect.type === "createPod") {
      const { taskId, attempt } = effect;
      pods.push(effect.pod);
      const report = { runId: "r1", taskId, attempt, parameters: outputs[run.get(taskId).name] ?? {}, artifacts: [], problems: [] };
      queue.push(...advance(run, { type: "podFinished", time: 2, taskId, attempt, succeeded: true, report }, context).effects);
    } else if (effect.type === "createVolumeClaim" || effect.type === "deleteVolumeClaim") {
      claims.push(effect.type === "createVolumeClaim" ? `+${effect.claim.metadata.name}` : `-${effect.name}`);
      if (effect.taskId !== undefined) queue.push(...advance(run, { type: "claimDone", time: 2, taskId: effect.taskId }, context).effects);
    }
  }
  return { run, pods, claims };
}

const print = `
  comp-print-msg:
    executorLabel: exec-print-msg
    inputDefinitions: {parameters: {msg: {parameterType: STRING}}}
`;
const executors = `
deploymentSpec:
  executors:
    exec-print-msg: {container: {image: "python:3.11", command: [python3, -m, kfp.dsl.executor_main], args: [--executor_input, '{{$}}', --function_to_execute, print_msg]}}
    exec-flip: {container: {image: "python:3.11", command: [flip]}}
    exec-make: {container: {image: argostub/createpvc}}
    exec-drop: {container: {image: argostub/deletepvc}}
    exec-import: {importer: {artifactUri: {runtimeParameter: uri}, typeSchema: {schemaTitle: system.Dataset}, metadata: {from: "{{$.inputs.parameters['uri']}}"}}}
pipelineInfo: {name: py}
schemaVersion: 2.1.0
sdkVersion: kfp-2.14.3
`;

test("an f-string takes its sibling input, quotes and all, and a oneof gives the branch that ran", () => {
  const { run, pods } = play(
    `
components:
  comp-flip: {executorLabel: exec-flip, outputDefinitions: {parameters: {Output: {parameterType: STRING}}}}
${print}
  comp-condition-1:
    dag:
      tasks: {flip-2: {componentRef: {name: comp-flip}, cachingOptions: {enableCache: true}}}
      outputs: {parameters: {x: {valueFromParameter: {producerSubtask: flip-2, outputParameterKey: Output}}}}
    inputDefinitions: {parameters: {pipelinechannel--flip-Output: {parameterType: STRING}}}
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
  comp-condition-branches-1:
    dag:
      tasks:
        condition-2:
          componentRef: {name: comp-condition-1}
          inputs: {parameters: {pipelinechannel--flip-Output: {componentInputParameter: pipelinechannel--flip-Output}}}
          triggerPolicy: {condition: "inputs.parameter_values['pipelinechannel--flip-Output'] == 'tails'"}
        condition-3:
          componentRef: {name: comp-condition-1}
          inputs: {parameters: {pipelinechannel--flip-Output: {componentInputParameter: pipelinechannel--flip-Output}}}
          triggerPolicy: {condition: "!(inputs.parameter_values['pipelinechannel--flip-Output'] == 'tails')"}
      outputs:
        parameters:
          x: {valueFromOneof: {parameterSelectors: [{producerSubtask: condition-2, outputParameterKey: x}, {producerSubtask: condition-3, outputParameterKey: x}]}}
    inputDefinitions: {parameters: {pipelinechannel--flip-Output: {parameterType: STRING}}}
    outputDefinitions: {parameters: {x: {parameterType: STRING}}}
root:
  dag:
    tasks:
      flip: {componentRef: {name: comp-flip}}
      condition-branches-1:
        componentRef: {name: comp-condition-branches-1}
        dependentTasks: [flip]
        inputs: {parameters: {pipelinechannel--flip-Output: {taskOutputParameter: {producerTask: flip, outputParameterKey: Output}}}}
      print-msg:
        componentRef: {name: comp-print-msg}
        dependentTasks: [condition-branches-1]
        inputs:
          parameters:
            msg: {runtimeValue: {constant: "got {{$.inputs.parameters['pipelinechannel--x']}} in {{$.pipeline_job_name}}!"}}
            pipelinechannel--x: {taskOutputParameter: {producerTask: condition-branches-1, outputParameterKey: x}}
${executors}`,
    { flip: { Output: "heads" }, "flip-2": { Output: 'a "quoted"\nvalue' } },
  );
  expect(run.progress).toMatchObject({ phase: "SUCCEEDED" });
  const main = pods.at(-1)?.spec.containers[0];
  const input = JSON.parse(main?.args?.[1] ?? "");
  expect(input.inputs.parameterValues.msg).toBe('got a "quoted"\nvalue in Run!');
  expect(input.outputs.outputFile).toMatch(/^\/minio\/b\/root\/py\/r1\/print-msg\/.*\/output_metadata.json$/);
  expect(pods.at(-1)?.metadata.labels).toMatchObject({ "pipeline/runid": "r1", "pipelines.kubeflow.org/v2_component": "true" });
});

test("claims and importers cost no pod, and the Kubernetes settings shape one", () => {
  const { run, pods, claims } = play(
    `
components:
  comp-make:
    executorLabel: exec-make
    inputDefinitions: {parameters: {access_modes: {parameterType: LIST}, size: {parameterType: STRING}, pvc_name_suffix: {parameterType: STRING, isOptional: true}, storage_class_name: {parameterType: STRING, isOptional: true, defaultValue: ""}}}
    outputDefinitions: {parameters: {name: {parameterType: STRING}}}
  comp-drop: {executorLabel: exec-drop, inputDefinitions: {parameters: {pvc_name: {parameterType: STRING}}}}
  comp-import:
    executorLabel: exec-import
    inputDefinitions: {parameters: {uri: {parameterType: STRING}}}
    outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset}}}}
${print}
root:
  dag:
    tasks:
      make:
        componentRef: {name: comp-make}
        inputs: {parameters: {access_modes: {runtimeValue: {constant: [ReadWriteOnce]}}, size: {runtimeValue: {constant: 1Gi}}, pvc_name_suffix: {runtimeValue: {constant: -data}}}}
      importer:
        componentRef: {name: comp-import}
        inputs: {parameters: {uri: {runtimeValue: {constant: "s3://elsewhere/x"}}}}
      print-msg:
        componentRef: {name: comp-print-msg}
        dependentTasks: [make, importer]
        inputs: {parameters: {msg: {taskOutputParameter: {producerTask: make, outputParameterKey: name}}}}
      drop:
        componentRef: {name: comp-drop}
        dependentTasks: [print-msg]
        inputs: {parameters: {pvc_name: {taskOutputParameter: {producerTask: make, outputParameterKey: name}}}}
${executors}
---
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-print-msg:
          secretAsEnv: [{secretNameParameter: {runtimeValue: {constant: my-secret}}, keyToEnv: [{secretKey: user, envVar: USER_NAME}]}]
          pvcMount: [{pvcNameParameter: {taskOutputParameter: {producerTask: make, outputParameterKey: name}}, mountPath: /data}]
          configMapAsVolume: [{configMapName: cfg, mountPath: /cfg, optional: true}]
          nodeSelector: {labels: {disk: ssd}}
          tolerations: [{key: gpu, operator: Exists, effect: NoSchedule, tolerationSeconds: "30"}]
          podMetadata: {labels: {team: a, pipeline/runid: stolen}, annotations: {note: hi}}
          imagePullSecret: [{secretName: pull}]
          imagePullPolicy: Always
          activeDeadlineSeconds: "60"
          fieldPathAsEnv: [{name: POD_IP, fieldPath: status.podIP}]
          emptyDirMounts: [{volumeName: scratch, mountPath: /scratch, medium: Memory}]
          securityContext: {runAsUser: "1000", runAsNonRoot: true}
`,
  );
  expect(run.progress).toMatchObject({ phase: "SUCCEEDED" });
  const name = claims[0]?.slice(1) ?? "";
  expect(claims).toEqual([`+${name}`, `-${name}`]);
  expect(name).toMatch(/-data$/);
  expect(pods).toHaveLength(1);
  const [pod] = pods;
  const main = pod?.spec.containers[0];
  expect(main?.env).toContainEqual({ name: "USER_NAME", valueFrom: { secretKeyRef: { name: "my-secret", key: "user" } } });
  expect(main?.env).toContainEqual({ name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } });
  expect(main?.volumeMounts).toEqual(
    expect.arrayContaining([
      { name, mountPath: "/data" },
      { name: "cfg", mountPath: "/cfg" },
      { name: "scratch", mountPath: "/scratch" },
    ]),
  );
  expect(main).toMatchObject({
    imagePullPolicy: "Always",
    securityContext: { runAsUser: 1000, runAsNonRoot: true, capabilities: { drop: ["ALL"] } },
  });
  expect(pod?.spec).toMatchObject({
    serviceAccountName: "default-editor",
    activeDeadlineSeconds: 60,
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 30 }],
    imagePullSecrets: [{ name: "pull" }],
  });
  expect(pod?.metadata).toMatchObject({ labels: { team: "a", "pipeline/runid": "r1" }, annotations: { note: "hi" } });
  const imported = [...run.tasks.values()].find((task) => task.kind === "IMPORTER");
  expect(imported?.outputs.artifacts["artifact"]?.[0]).toMatchObject({ uri: "s3://elsewhere/x", metadata: { from: "s3://elsewhere/x" } });
});

test("a loop over collected artifacts gives each iteration its own", () => {
  const { run } = play(
    `
components:
  comp-import:
    executorLabel: exec-import
    inputDefinitions: {parameters: {uri: {parameterType: STRING}}}
    outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset}}}}
  comp-inner:
    dag:
      tasks:
        imp: {componentRef: {name: comp-import}, inputs: {parameters: {uri: {runtimeValue: {constant: "s3://b/{{$.inputs.parameters['item']}}"}, }, item: {componentInputParameter: item}}}}
      outputs: {artifacts: {all: {artifactSelectors: [{producerSubtask: imp, outputArtifactKey: artifact}]}}}
    inputDefinitions: {parameters: {item: {parameterType: STRUCT}}}
    outputDefinitions: {artifacts: {all: {artifactType: {schemaTitle: system.Dataset}, isArtifactList: true}}}
  comp-flip: {executorLabel: exec-flip, inputDefinitions: {artifacts: {one: {artifactType: {schemaTitle: system.Dataset}}}}, outputDefinitions: {parameters: {n: {parameterType: STRING}}}}
root:
  dag:
    tasks:
      loop:
        componentRef: {name: comp-inner}
        parameterIterator: {itemInput: item, items: {raw: '[{"a":1},{"a":2}]'}}
      each:
        componentRef: {name: comp-flip}
        artifactIterator: {itemInput: one, items: {inputArtifact: list}}
        inputs: {artifacts: {list: {taskOutputArtifact: {producerTask: loop, outputArtifactKey: all}}}}
        iteratorPolicy: {parallelismLimit: 1}
${executors}`,
    { each: { n: "x" } },
  );
  expect(run.progress).toMatchObject({ phase: "SUCCEEDED" });
  const each = [...run.tasks.values()].filter(({ path }) => /^root\.each\.\d$/.test(path));
  expect(each.map(({ inputs }) => inputs.artifacts["one"]?.[0]?.uri)).toEqual(['s3://b/{"a":1}', 's3://b/{"a":2}']);
  expect(run.child(run.root ?? "", "each")?.outputs.parameters).toEqual({ n: ["x", "x"] });
});

test("a task is handed the settings that it passes through, and its pod keeps those to apply", () => {
  const { run, pods } = play(
    `
components:
  comp-flip:
    executorLabel: exec-launch
    inputDefinitions: {parameters: {config: {parameterType: TASK_CONFIG}}}
    taskConfigPassthroughs: [{field: RESOURCES}, {field: KUBERNETES_NODE_SELECTOR, applyToTask: true}]
root:
  dag: {tasks: {flip: {componentRef: {name: comp-flip}}}}
${executors.replace("    exec-flip:", "    exec-launch: {container: {image: x, args: [\"{{$.inputs.parameters['config']}}\"], resources: {resourceCpuLimit: '2'}}}\n    exec-flip:")}
---
platforms: {kubernetes: {deploymentSpec: {executors: {exec-launch: {nodeSelector: {labels: {disk: ssd}}}}}}}
`,
  );
  expect(run.progress).toMatchObject({ phase: "SUCCEEDED" });
  const main = pods[0]?.spec.containers[0];
  expect(JSON.parse(main?.args?.[0] ?? "")).toEqual({ resources: { limits: { cpu: "2" } }, nodeSelector: { disk: "ssd" } });
  expect(main?.resources).toBeUndefined();
  expect(pods[0]?.spec.nodeSelector).toEqual({ disk: "ssd" });
});
