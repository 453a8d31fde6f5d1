import fc from "fast-check";
import { expect, test } from "vitest";
import { faultsOf } from "./compiled.fixture.ts";
import { parity } from "./parity.fixture.ts";
import { everyConstruct } from "./every-construct.fixture.ts";
import {
  artifacts,
  collect,
  compare,
  container,
  dataset,
  forEach,
  list,
  number,
  oneOf,
  onExit,
  otherwise,
  pipeline,
  when,
  type Pipeline,
} from "./index.ts";
import type { Reference } from "./graph.ts";
import type { ArtifactType, ParameterType } from "./types.ts";

const step = container({ name: "step", image: "x", inputs: { n: number(), data: dataset() }, outputs: { n: number(), data: dataset() } });
const start = container({ name: "start", image: "x", inputs: {}, outputs: { n: number(), data: dataset() } });
const gather = container({
  name: "gather",
  image: "x",
  inputs: { ns: list(number()), all: artifacts(dataset()) },
  outputs: { n: number(), data: dataset() },
});
const end = container({ name: "end", image: "x", inputs: {}, outputs: {} });

interface Value {
  readonly n: Reference<ParameterType<number>>;
  readonly data: Reference<ArtifactType<false>>;
}
type Shape = { readonly kind: "step" | "loop" | "branches" | "exit"; readonly pick: number; readonly body: readonly Shape[] };

function blocks(depth: number): fc.Arbitrary<readonly Shape[]> {
  const simple = fc.record({ kind: fc.constant("step" as const), pick: fc.nat(), body: fc.constant([]) });
  if (depth === 0) return fc.array(simple, { minLength: 1, maxLength: 2 });
  const nested = fc.record({ kind: fc.constantFrom("loop" as const, "branches" as const, "exit" as const), pick: fc.nat(), body: blocks(depth - 1) });
  return fc.array(fc.oneof(simple, nested), { minLength: 1, maxLength: 3 });
}

/** Builds a block whose steps take any value in scope; what each shape gives is in scope after it. */
function build(block: readonly Shape[], outer: readonly Value[]): Value {
  const scope = [...outer];
  const some = (pick: number): Value => scope[pick % scope.length] ?? start({}).outputs;
  for (const { kind, pick, body } of block) {
    const { n, data } = some(pick);
    if (kind === "step") scope.push(step({ n, data }).outputs);
    else if (kind === "exit") scope.push(onExit(end({}), () => build(body, scope)));
    else if (kind === "branches") {
      const first = when(compare(n, ">", 1), () => build(body, scope));
      const second = otherwise(() => step({ n, data: some(pick + 1).data }).outputs);
      scope.push({ n: oneOf(first.n, second.n), data: oneOf(first.data, second.data) });
    } else {
      const each = forEach([1, 2], (item) => build(body, [...scope, { n: item, data }]));
      scope.push(gather({ ns: collect(each.n), all: collect(each.data) }).outputs);
    }
  }
  return step(scope.at(-1) ?? some(0)).outputs;
}

test("whatever is written, every name leads somewhere and every type fits", () => {
  fc.assert(
    fc.property(blocks(2), (block) => {
      const made: Pipeline = pipeline({ name: "any", inputs: { n: number() } }, ({ n }) => {
        const { data } = start({}).outputs;
        return { ...build(block, [{ n, data }]) };
      });
      expect(faultsOf(made)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("so it is with every construct there is", () => {
  expect(faultsOf(everyConstruct)).toEqual([]);
  expect(faultsOf(parity)).toEqual([]);
});
