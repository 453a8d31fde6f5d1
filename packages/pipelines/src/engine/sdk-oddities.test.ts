import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parsePipeline } from "../domain/ir-parse.ts";
import { advance, type Advance, type EngineContext, newRun, type PodManifest, type RunState } from "./index.ts";

const context: EngineContext = {
  sha256: (text) => createHash("sha256").update(text).digest("hex"),
  settings: {},
  isCacheEnabled: false,
};

/** Starts a run; its tasks' pods are those that it wants at once. */
function start(yaml: string): { readonly run: RunState; readonly pods: readonly PodManifest[]; readonly begun: Advance } {
  const { pipelineSpec: spec, platformSpec: platform } = parsePipeline(yaml);
  const root = { id: "r1", displayName: "Run", namespace: "ns", spec, parameters: {}, pipelineRoot: "minio://b/root", createdAt: 0 };
  const run = newRun(platform === undefined ? root : { ...root, platform });
  const begun = advance(run, { type: "runStarted", time: 1 }, context);
  return { run, begun, pods: begun.effects.flatMap((effect) => (effect.type === "createPod" ? [effect.pod] : [])) };
}

function argsOf({ spec }: PodManifest): readonly string[] {
  return spec.containers[0]?.args ?? [];
}

const SAY = `
  comp-say: {executorLabel: exec-say, inputDefinitions: {parameters: {text: {parameterType: STRING}}}}
deploymentSpec:
  executors:
    exec-say: {container: {image: alpine, command: [echo], args: ["{{$.inputs.parameters['text']}}"]}}
pipelineInfo: {name: oddities}
schemaVersion: 2.1.0
`;

test("texts name fields of a loop's items, whose inputs the SDK wires to nothing and types by guess", () => {
  const { pods } = start(`
root:
  dag:
    tasks:
      for-loop-1:
        componentRef: {name: comp-for-loop-1}
        inputs: {parameters: {pipelinechannel--items-subvar-b: {componentInputParameter: items-subvar-b}}}
        parameterIterator: {itemInput: pipelinechannel--items, items: {raw: '[{"b": "x"}, {"b": "y"}]'}}
components:
  comp-for-loop-1:
    dag:
      tasks:
        condition-1:
          componentRef: {name: comp-condition-1}
          inputs: {parameters: {pipelinechannel--items-subvar-b: {componentInputParameter: pipelinechannel--items-subvar-b}}}
    inputDefinitions:
      parameters: {pipelinechannel--items: {parameterType: STRUCT}, pipelinechannel--items-subvar-b: {parameterType: NUMBER_INTEGER}}
  comp-condition-1:
    dag:
      tasks:
        say:
          componentRef: {name: comp-say}
          inputs:
            parameters:
              pipelinechannel--items-subvar-b: {componentInputParameter: pipelinechannel--items-subvar-b}
              text: {runtimeValue: {constant: "b is {{$.inputs.parameters['pipelinechannel--items-subvar-b']}}"}}
    inputDefinitions: {parameters: {pipelinechannel--items-subvar-b: {parameterType: NUMBER_INTEGER}}}
${SAY}`);
  expect(pods.map(argsOf)).toEqual([["b is x"], ["b is y"]]);
});

test("texts name the items of outer loops, which the SDK does not hand down", () => {
  const { pods } = start(`
root:
  dag:
    tasks:
      for-loop-1:
        componentRef: {name: comp-for-loop-1}
        inputs: {parameters: {pipelinechannel--inner: {componentInputParameter: inner}}}
        parameterIterator: {itemInput: pipelinechannel--outer, items: {raw: '["p", "q"]'}}
components:
  comp-for-loop-1:
    dag:
      tasks:
        for-loop-2:
          componentRef: {name: comp-for-loop-2}
          parameterIterator: {itemInput: pipelinechannel--inner, items: {raw: '[1]'}}
    inputDefinitions: {parameters: {pipelinechannel--outer: {parameterType: STRING}, pipelinechannel--inner: {parameterType: NUMBER_INTEGER}}}
  comp-for-loop-2:
    dag:
      tasks:
        say:
          componentRef: {name: comp-say}
          inputs:
            parameters:
              pipelinechannel--outer: {componentInputParameter: pipelinechannel--outer}
              pipelinechannel--inner: {componentInputParameter: pipelinechannel--inner}
              text: {runtimeValue: {constant: "{{$.inputs.parameters['pipelinechannel--outer']}}{{$.inputs.parameters['pipelinechannel--inner']}}"}}
    inputDefinitions: {parameters: {pipelinechannel--inner: {parameterType: NUMBER_INTEGER}}}
${SAY}`);
  expect(pods.map(argsOf)).toEqual([["p1"], ["q1"]]);
});

test("keys of an importer's metadata may be texts, and what it downloads to the workspace is found there", () => {
  const { run, pods } = start(`
root:
  dag:
    tasks:
      importer: {componentRef: {name: comp-importer}, inputs: {parameters: {who: {runtimeValue: {constant: me}}}}}
      read:
        componentRef: {name: comp-read}
        dependentTasks: [importer]
        inputs: {artifacts: {data: {taskOutputArtifact: {producerTask: importer, outputArtifactKey: artifact}}}}
components:
  comp-importer:
    executorLabel: exec-importer
    inputDefinitions: {parameters: {who: {parameterType: STRING}}}
    outputDefinitions: {artifacts: {artifact: {artifactType: {schemaTitle: system.Dataset}}}}
  comp-read: {executorLabel: exec-read, inputDefinitions: {artifacts: {data: {artifactType: {schemaTitle: system.Dataset}}}}}
deploymentSpec:
  executors:
    exec-importer:
      importer:
        artifactUri: {constant: "minio://b/data"}
        downloadToWorkspace: true
        metadata: {"of {{$.inputs.parameters['who']}}": yes}
    exec-read: {container: {image: alpine, command: [cat], args: ["{{$.inputs.artifacts['data'].path}}"]}}
pipelineInfo: {name: oddities}
schemaVersion: 2.1.0
---
platforms: {kubernetes: {pipelineConfig: {workspace: {size: 1Mi}}}}
`);
  const [pod] = pods;
  expect(argsOf(pod!)).toEqual(["/kfp-workspace/.artifacts/minio/b/data"]);
  expect(pod!.spec.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath)).toContain("/kfp-workspace");
  const [task] = [...run.tasks.values()].filter(({ name }) => name === "importer");
  expect(task?.outputs.artifacts["artifact"]?.[0]?.metadata).toEqual({ "of me": "yes", _kfp_workspace: true });
});

test("a task whose pod nobody has seen running has begun all the same", () => {
  const { run, begun } = start(`
root: {dag: {tasks: {say: {componentRef: {name: comp-say}, inputs: {parameters: {text: {runtimeValue: {constant: x}}}}}}}}
components:
${SAY}`);
  const [created] = begun.effects.flatMap((effect) => (effect.type === "createPod" ? [effect] : []));
  const { taskId, attempt } = created!;
  const report = { runId: "r1", taskId, attempt, parameters: {}, artifacts: [], problems: [] };
  advance(run, { type: "podFinished", time: 7, taskId, attempt, succeeded: true, report }, context);
  expect(run.get(taskId)).toMatchObject({ state: "SUCCEEDED", startedAt: 7, endedAt: 7 });
});
