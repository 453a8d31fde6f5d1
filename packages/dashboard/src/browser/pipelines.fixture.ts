import {
  artifact,
  collect,
  compare,
  container,
  dataset,
  forEach,
  html,
  list,
  markdown,
  metrics,
  model,
  number,
  otherwise,
  pipeline,
  string,
  when,
  type Pipeline,
} from "@sluice/sdk";

const image = "python:3.12";
const run = (name: string): string[] => ["python", "-u", `${name}.py`];

const prepare = container({
  name: "prepare",
  image,
  command: run("prepare"),
  inputs: { source: string() },
  outputs: { digits: dataset(), rows: number() },
});
const train = container({
  name: "train",
  image,
  command: run("train"),
  inputs: { rate: number(), digits: dataset() },
  outputs: { model: model(), metrics: metrics(), accuracy: number() },
});
const choose = container({ name: "choose", image, command: run("choose"), inputs: { accuracies: list(number()) }, outputs: { best: number() } });
const evaluate = container({
  name: "evaluate",
  image,
  command: run("evaluate"),
  inputs: { digits: dataset(), best: number() },
  outputs: { scores: artifact("system.ClassificationMetrics"), report: html(), summary: markdown(), predictions: artifact(), files: dataset() },
});
const publish = container({ name: "publish", image, command: run("publish"), inputs: { best: number() }, outputs: {} });
const alarm = container({ name: "alarm", image, command: run("alarm"), inputs: { best: number() }, outputs: {} });

/** A pipeline with everything in it: a loop, branches, and every kind of artifact. */
export const DIGITS: Pipeline = pipeline(
  { name: "digits", inputs: { rates: list(number()), source: string({ default: "mnist" }) } },
  ({ rates, source }) => {
    const { digits } = prepare({ source }).outputs;
    let accuracies;
    forEach(rates, (rate) => {
      accuracies = collect(train({ rate, digits }).outputs.accuracy);
    });
    if (accuracies === undefined) throw new Error("the loop has a body");
    const { best } = choose({ accuracies }).outputs;
    evaluate({ digits, best });
    when(compare(best, ">", 0.9), () => {
      publish({ best });
    });
    otherwise(() => {
      alarm({ best });
    });
  },
);

const step = container({ name: "step", image, command: run("step"), inputs: { item: number() }, outputs: {} });

/** One task per item. */
export const WIDE: Pipeline = pipeline({ name: "wide", inputs: { items: list(number()) } }, ({ items }) => {
  forEach(items, (item) => {
    step({ item });
  });
});

const link = container({ name: "link", image, command: run("link"), inputs: { item: number() }, outputs: {} });

/** Many tasks in one graph, in chains beside each other. */
export const BROAD: Pipeline = pipeline({ name: "broad", inputs: {} }, () => {
  for (let chain = 0; chain < 100; chain++) {
    let before: ReturnType<typeof link> | undefined;
    for (let depth = 0; depth < 10; depth++) {
      before = link({ item: chain * 10 + depth }, { cache: false, ...(before === undefined ? {} : { after: [before] }) });
    }
  }
});

/** One task, which never comes from the cache. */
export const SINGLE: Pipeline = pipeline({ name: "single", inputs: {} }, () => {
  step({ item: 1 }, { cache: false });
});
