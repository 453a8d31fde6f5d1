import { expect, test } from "vitest";
import type { ComponentSpec, ContainerSpec } from "../domain/ir.ts";
import { needsAgent } from "./needs-agent.ts";
import { NO_VALUES, type TaskValues } from "./types.ts";

const image = "busybox";
const artifact = { id: "1", name: "a", type: {}, uri: "minio://b/a", metadata: {} };
const cases: readonly [what: string, needed: boolean, component: ComponentSpec, container: ContainerSpec, inputs?: TaskValues][] = [
  ["nothing to bring or take", false, {}, { image, command: ["true"] }],
  ["input values alone", false, {}, { image, command: ["echo"], args: ["{{$.inputs.parameters['a']}}-{{$.inputs.parameters['b']}}"] }],
  ["an output parameter", true, { outputDefinitions: { parameters: { out: { parameterType: "STRING" } } } }, { image }],
  ["an output artifact", true, { outputDefinitions: { artifacts: { out: {} } } }, { image }],
  ["an input artifact", true, {}, { image }, { ...NO_VALUES, artifacts: { in: [artifact] } }],
  ["the executor's input, which says where outputs would lie", true, {}, { image, args: ["--executor_input", "{{$}}"] }],
  ["an output file in a nested placeholder", true, {}, { image, args: ['{"Concat": ["--to=", "{{$.outputs.output_file}}"]}'] }],
];

test.each(cases)("%s", (_, needed, component, container, inputs = NO_VALUES) => {
  expect(needsAgent({ inputs }, component, container)).toBe(needed);
});
