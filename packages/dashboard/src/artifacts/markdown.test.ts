import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMarkdown, type Block, type Inline } from "./markdown.ts";

const say = (list: readonly Inline[]): string =>
  list.map((part) => ("text" in part ? (part.type === "code" ? `\`${part.text}\`` : part.text) : `<${part.type}>${say(part.children)}</>`)).join("");
const outline = (blocks: readonly Block[]): unknown[] =>
  blocks.map((block) => {
    switch (block.type) {
      case "heading":
        return [`h${block.level}`, say(block.children)];
      case "paragraph":
        return say(block.children);
      case "code":
        return ["code", block.text];
      case "rule":
        return "---";
      case "quote":
        return ["quote", ...outline(block.blocks)];
      case "list":
        return [block.isOrdered ? "ol" : "ul", ...block.items.map(outline)];
      case "table":
        return ["table", block.header.map(say), ...block.rows.map((row) => row.map(say))];
    }
  });

test("blocks", () => {
  const text = "# One #\ntext\nmore\n\n---\n```js\n# no\n```\n> quoted\n> - a\n\n1. x\n2. y\n   - z\n\n|a|b|\n|-|:-:|\n|1|2 \\| 3|\n";
  expect(outline(parseMarkdown(text))).toEqual([
    ["h1", "One"],
    "text\nmore",
    "---",
    ["code", "# no"],
    ["quote", "quoted", ["ul", ["a"]]],
    ["ol", ["x"], ["y", ["ul", ["z"]]]],
    ["table", ["a", "b"], ["1", "2 | 3"]],
  ]);
});

test.each([
  ["**a *b* c** `x*y*`", "<strong>a <emphasis>b</> c</> `x*y*`"],
  ["snake_case_name and 2*3*4 \\*", "snake_case_name and 2<emphasis>3</>4 *"],
  ["[a **b**](https://x.y/z) <https://q.r>", "<link>a <strong>b</></> <link>https://q.r</>"],
  ["[bad](javascript:alert(1))", "<strong>bad</>)"],
  ["see http://a.b/c.", "see <link>http://a.b/c</>."],
  ["<b>not</b> ~~so~~", "<b>not</b> <struck>so</>"],
])("%s", (text, expected) => {
  const [block] = parseMarkdown(text);
  expect(block?.type === "paragraph" ? say(block.children) : block).toBe(expected);
});

test("whatever is written, it is read, and no link leads anywhere but out", () => {
  const unit = fc.constantFrom("a", " ", "\n", "#", "*", "_", "`", "[", "](", ")", "|", "-", "1.", ">", "<", "  ", "javascript:", "http://x");
  const links = (value: unknown): string[] =>
    Array.isArray(value)
      ? value.flatMap(links)
      : typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => (key === "url" ? [String(inner)] : links(inner)))
        : [];
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
      for (const url of links(parseMarkdown(text))) expect(url).toMatch(/^(?:https?:|mailto:)/u);
    }),
  );
});
