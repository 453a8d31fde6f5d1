import fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { indentQuoted } from "./indent-quoted.ts";
import { parsePipeline } from "./ir-parse.ts";

test("what PyYAML folds at the depth of a list's dash is read as libyaml reads it", () => {
  const text = [
    "list:",
    "  command:",
    "  - sh",
    '  - "first \\',
    "  \\ second",
    "",
    '  third \\"quoted\\""',
    "  - 'it''s",
    "",
    "  # not a comment'",
    '  key: "a',
    '  b"',
  ].join("\n");
  expect(parse(indentQuoted(text))).toEqual({
    list: { command: ["sh", 'first  second\nthird "quoted"', "it's\n# not a comment"], key: "a b" },
  });
});

test("a text within a text stays as it is", () => {
  const text = 'script: |\n  - "a\n  b"\n\n    deeper\nfolded: >-\n  say "x\n  y"\nlast: \'a\n  b\'\n';
  expect(parse(indentQuoted(text))).toEqual(parse(text));
});

test("nothing valid changes its meaning", () => {
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: fc.constantFrom("a", " ", "\n", '"', "'", ":", "-", "#", "\\", "|", ">", "{", "[", "\t") }),
      fc.integer(),
      fc.array(tie("any"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: fc.constantFrom("a", "b", " ", '"', "'", ":", "#", "-") }), tie("any"), { maxKeys: 4 }),
    ),
  })).any;
  fc.assert(
    fc.property(
      value,
      fc.constantFrom(20, 80),
      fc.constantFrom("QUOTE_DOUBLE", "QUOTE_SINGLE", "PLAIN", "BLOCK_LITERAL"),
      (given, lineWidth, type) => {
        // As in any pipeline: a document that is one text has rules of its own.
        const text = stringify({ given }, { lineWidth, defaultStringType: type });
        expect(parse(indentQuoted(text))).toEqual(parse(text));
      },
    ),
    { numRuns: 500 },
  );
});

test("a pipeline with such lines is taken; one with a quote that nothing closes is not", () => {
  const pipeline = (image: string): string =>
    `pipelineInfo: {name: p}\nschemaVersion: 2.1.0\nroot: {dag: {tasks: {t: {componentRef: {name: c}}}}}\ncomponents: {c: {executorLabel: e}}\n` +
    `deploymentSpec:\n  executors:\n    e:\n      container:\n        image: i\n        command:\n        - ${image}\n`;
  expect(parsePipeline(pipeline('"a\n        b"')).pipelineSpec.deploymentSpec?.executors?.["e"]?.container?.command).toEqual(["a b"]);
  expect(() => parsePipeline(pipeline('"a\n        b'))).toThrow("not valid YAML");
});
