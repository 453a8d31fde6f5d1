import {
  all,
  any,
  artifacts,
  boolean,
  classificationMetrics,
  collect,
  compare,
  component,
  container,
  field,
  finalStatus,
  forEach,
  html,
  integer,
  list,
  model,
  not,
  number,
  oneOf,
  onExit,
  otherwise,
  pipeline,
  string,
  struct,
  when,
  type Pipeline,
} from "./index.ts";

const train = component({
  name: "train",
  inputs: { rate: number(), note: string({ default: "$(none) $$" }) },
  outputs: { model: model(), accuracy: number(), epochs: integer() },
  run: ({ inputs }) => ({ accuracy: inputs.rate, epochs: 1 }),
});
const say = component({
  name: "say",
  inputs: { text: string() },
  outputs: { text: string(), page: html() },
  run: ({ inputs }) => ({ text: inputs.text }),
});
const best = component({
  name: "best",
  inputs: { models: artifacts(model()), scores: list(number()) },
  outputs: { model: model(), accuracy: number(), isGood: boolean(), classification: classificationMetrics() },
  run: () => ({ accuracy: 1, isGood: true }),
});
const copy = container({
  name: "copy",
  image: "busybox",
  command: ({ inputs, outputs }) => ["cp", inputs.model.path, outputs.model.path],
  args: ({ inputs, outputs, executorInput }) => [inputs.name, outputs.name.file, outputs.model.uri, executorInput],
  inputs: { model: model(), name: string() },
  outputs: { model: model(), name: string() },
});
const leave = component({ name: "leave", inputs: { status: finalStatus() }, outputs: {}, run: () => undefined });
const use = component({
  name: "use",
  inputs: { shape: struct<{ width: number; name: string }>(), names: list(string()) },
  outputs: { size: number() },
  run: () => ({ size: 1 }),
});

/** A pipeline that holds all that the language has, for those who must read what it compiles to. */
export const everyConstruct: Pipeline = pipeline(
  {
    name: "every-construct",
    description: "All there is.",
    inputs: { rates: list(number(), { default: [0.1] }), least: integer({ default: 3 }), text: string() },
  },
  ({ rates, least, text }) => {
    const chosen = onExit(leave({}), () => {
      const trained = forEach(
        rates,
        (rate) => {
          const task = train(
            { rate },
            {
              retry: { limit: 2, backoffSeconds: 1 },
              resources: { cpu: "1", memoryRequest: "1Gi", accelerator: { type: "nvidia.com/gpu", count: 1 } },
            },
          );
          when(compare(task.outputs.accuracy, ">", 1), () => say({ text }));
          return task;
        },
        { parallelism: 2, name: "rates" },
      );
      forEach(collect(trained.outputs.model), (each) => copy({ model: each, name: text }), { parallelism: 1 });
      return best({ models: collect(trained.outputs.model), scores: collect(trained.outputs.accuracy) });
    });
    const high = when(compare(least, ">", 3), () => {
      when(all(compare(text, "==", "b'\\"), compare(chosen.outputs.isGood, "==", true)), () => say({ text: "x" }));
      return copy({ model: chosen.outputs.model, name: text }).outputs.model;
    });
    const middle = otherwise(any(compare(text, "!=", "heads"), not(compare(chosen.outputs.accuracy, "<", 1))), () => {
      const low = when(compare(least, "<", 1), () => train({ rate: 1 }).outputs.model);
      return oneOf(
        low,
        otherwise(() => train({ rate: 2 }).outputs.model),
      );
    });
    const rest = otherwise(() => train({ rate: chosen.outputs.accuracy }, { cache: false, displayName: "Last" }).outputs.model, { name: "the rest" });
    const joined = oneOf(high, middle, rest);
    const copied = copy({ model: joined, name: "z" });
    const sizes = forEach(
      [
        { width: 1, name: "x" },
        { width: 2, name: "y" },
      ],
      (shape) =>
        forEach(rates, (rate) => {
          const said = say({ text: field(shape, "name", string()) });
          when(compare(field(shape, "width", number()), ">=", 2), () => train({ rate: field(shape, "width", number()) }, { after: [] }));
          train({ rate }, { after: [said] });
          return use({ shape, names: ["q"] }).outputs.size;
        }),
    );
    const last = best({
      models: collect(forEach([1], (outer) => [train({ rate: outer }), forEach(rates, (rate) => train({ rate }))] as const)[1].outputs.model),
      scores: collect(sizes),
    });
    return { model: copied.outputs.model, chosen: joined, classification: last.outputs.classification, sizes: collect(sizes) };
  },
);
