import {
  artifacts,
  classificationMetrics,
  collect,
  compare,
  component,
  container,
  createPvc,
  dataset,
  deletePvc,
  finalStatus,
  forEach,
  importer,
  integer,
  list,
  literal,
  model,
  onExit,
  optional,
  pipeline,
  placeholders,
  slicedClassificationMetrics,
  string,
  struct,
  taskConfig,
  text,
  when,
  type Pipeline,
} from "./index.ts";

const step = container({
  name: "step",
  image: "busybox",
  inputs: { text: string({ description: "What to say." }), opt: optional(string()), n: integer({ default: 3 }) },
  outputs: { out: dataset() },
  command: ({ inputs, ifPresent, concat }) => ["echo", concat("--t=", inputs.text), ifPresent("opt", ["--opt", inputs.opt], ["--none"])],
  args: ({ outputs }) => [outputs.out.path],
});
const make = container({
  name: "make",
  image: "busybox",
  inputs: {},
  outputs: { name: string() },
  command: ({ outputs }) => ["make", outputs.name.file],
});
const choose = container({
  name: "choose",
  image: "busybox",
  inputs: { kind: literal(["a", "b"]), data: optional(model()), score: optional(integer()) },
  outputs: { metrics: classificationMetrics(), slices: slicedClassificationMetrics() },
  command: ({ inputs, executorInput }) => [inputs.kind, inputs.data.metadata("framework"), executorInput],
});
const use = container({ name: "use", image: "busybox", inputs: { data: dataset() }, outputs: {}, command: ({ inputs }) => [inputs.data.uri] });
const useAll = container({
  name: "use-all",
  image: "busybox",
  inputs: { all: artifacts(dataset()) },
  outputs: {},
  command: ({ inputs }) => [inputs.all],
});
const launch = component({
  name: "launch",
  inputs: { config: taskConfig() },
  outputs: {},
  passthrough: ["RESOURCES", { field: "ENV", applyToTask: true }],
  run: ({ inputs }) => inputs.config.resources,
});
const leave = container({ name: "leave", image: "busybox", inputs: { status: finalStatus() }, outputs: {} });

const inner = pipeline({ name: "inner", inputs: { a: string(), b: string({ default: "y" }) } }, ({ a, b }) => {
  const { out } = step({ text: a }).outputs;
  when(compare(b, "==", "x"), () => step({ text: b }));
  return { Output: out };
});
const rounds = pipeline({ name: "rounds", inputs: {} }, () => ({
  Output: collect(forEach(["a", "b"], (word) => step({ text: word }).outputs.out)),
}));

/** A pipeline that uses what `every-construct` does not; `clients/test_sdk_parity.py` has its twin in Python. */
export const parity: Pipeline = pipeline(
  {
    name: "parity",
    displayName: "Parity",
    description: "What both languages can say.",
    pipelineRoot: "minio://bucket/root",
    inputs: {
      cpu: string(),
      image: string(),
      secret: string(),
      tolerations: list(struct()),
      selector: struct(),
      opt: optional(string()),
      uri: string({ default: "gs://bucket/data" }),
    },
    workspace: { size: "1Gi", pvcSpecPatch: { storageClassName: "fast" } },
    activeDeadlineSeconds: 9,
    ttlSecondsAfterFinished: 5,
    ttlSecondsAfterSuccess: 6,
    ttlSecondsAfterFailure: 7,
  },
  ({ cpu, image, secret, tolerations, selector, opt, uri }) => {
    const made = make({});
    const main = step(
      { text: text`hello ${cpu} ${placeholders.pipelineJobName}`, opt },
      {
        cache: { key: "key" },
        retry: { limit: 2, backoffSeconds: 1, factor: 3, maxBackoffSeconds: 60 },
        timeoutSeconds: 60,
        resources: { cpu, memory: made.outputs.name, cpuRequest: "500m", memoryRequest: "1Gi", accelerator: { type: "nvidia.com/gpu", count: 2 } },
        image,
        env: { A: "b" },
        debugPause: ["before", "after"],
        kubernetes: {
          env: {
            V: { secret, key: "k" },
            W: { secret, key: "l" },
            C: { configMap: "settings", key: "k" },
            N: { fieldPath: "spec.nodeName" },
          },
          volumes: {
            "/secret": { secret: "fixed", optional: true },
            "/config": { configMap: "settings" },
            "/made": { claim: made.outputs.name },
            "/fixed": { claim: "claim", subPath: "sub" },
            "/scratch": { emptyDir: { name: "scratch", medium: "Memory", sizeLimit: "1Gi" } },
            "/big": { ephemeral: { name: "big", accessModes: ["ReadWriteOnce"], size: "1Gi", labels: { l: "m" } } },
          },
          nodeSelector: selector,
          tolerations: [{ key: "k", operator: "Equal", value: "v", effect: "NoExecute", tolerationSeconds: 5 }, tolerations],
          nodeAffinity: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }], weight: 5 }, selector],
          labels: { a: "b" },
          annotations: { c: "d" },
          imagePullPolicy: "Always",
          imagePullSecrets: ["registry", secret],
          securityContext: { runAsUser: 1, runAsGroup: 2, runAsNonRoot: true },
        },
      },
    );
    when(compare(cpu, "==", "1"), () => {
      step(
        { text: "z" },
        { resources: { cpu }, kubernetes: { env: { V: { secret, key: "k" } }, volumes: { "/made": { claim: made.outputs.name } } } },
      );
    });
    const imported = importer({
      uri,
      type: dataset(),
      metadata: { cpu, fixed: "x", where: text`at ${uri}` },
      reimport: true,
      downloadToWorkspace: true,
    });
    use({ data: imported.outputs.artifact });
    const fixed = importer({ uri: "gs://bucket/model", type: model() });
    choose({ kind: "a" });
    choose({ kind: "b", data: fixed.outputs.artifact, score: 1 }, { after: [main], ignoreUpstreamFailure: true });
    inner({ a: "s" });
    use({ data: inner({ a: "s", b: cpu }, { displayName: "Again" }).outputs.Output });
    const { Output: all } = rounds({}).outputs;
    useAll({ all });
    forEach(all, (data) => use({ data }), { parallelism: 2 });
    const claim = createPvc({ pvc_name_suffix: "-data", access_modes: ["ReadWriteOnce"], size: "1Gi" });
    deletePvc({ pvc_name: claim.outputs.name });
    launch({});
    step({ text: placeholders.workspacePath }, { kubernetes: { nodeSelector: { disk: "ssd" } } });
    const inside = onExit(leave({}), () => step({ text: "inside" }));
    step({ text: "late" }, { after: [inside] });
  },
);
