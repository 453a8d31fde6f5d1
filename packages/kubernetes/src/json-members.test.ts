import fc from "fast-check";
import { expect, test } from "vitest";
import { hasRepeatedMembers, jsonMembers } from "./json-members.ts";

test("finds repeated members wherever they are, by path", () => {
  const text = '{"a": 1, "b": [{"c": "\\"{,"}, {"c": 1, "\\u0063": 2}], "a": {"x": []}}';
  expect(
    jsonMembers(text)
      .filter(({ isRepeated }) => isRepeated)
      .map(({ path }) => path),
  ).toEqual(["b[1].c", "a"]);
  expect(jsonMembers(text).map(({ path }) => path)).toEqual(["a", "b", "b[0].c", "b[1].c", "b[1].c", "a", "a.x"]);
});

test("property: finds none where there is none, and as many members as there are", () => {
  const count = (value: unknown): number =>
    typeof value === "object" && value !== null
      ? Object.values(value).reduce<number>((sum, child) => sum + count(child), Array.isArray(value) ? 0 : Object.keys(value).length)
      : 0;
  fc.assert(
    fc.property(fc.json(), (text) => {
      const parsed: unknown = JSON.parse(text);
      const normal = JSON.stringify(parsed, null, 1);
      expect(hasRepeatedMembers(normal)).toBe(false);
      expect(jsonMembers(normal)).toHaveLength(count(parsed));
    }),
  );
});
