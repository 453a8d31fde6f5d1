import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isApiError } from "./errors.ts";
import { parseFieldSelector } from "./field-selector.ts";

const fields = new Map([
  ["metadata.name", "x"],
  ["spec.nodeName", "a,b=c\\d"],
]);
const supported = ["metadata.name", "spec.nodeName", "status.phase"];
const matches = (text: string): boolean => parseFieldSelector(text, supported).matches((field) => fields.get(field));

describe("field selector", () => {
  it.each([
    ["", true],
    ["metadata.name=x", true],
    ["metadata.name==x", true],
    ["metadata.name!=x", false],
    ["metadata.name=x,spec.nodeName!=y", true],
    ["metadata.name=x,spec.nodeName=y", false],
    ["status.phase=", true],
    ["status.phase!=Running", true],
    ["spec.nodeName=a\\,b\\=c\\\\d", true],
  ])("%j matches: %s", (text, expected) => expect(matches(text)).toBe(expected));

  it("names the field it does not support", () => {
    expect(() => parseFieldSelector("spec.x=1")).toThrow("field label not supported: spec.x");
  });

  it.each(["metadata.name", "=x", "metadata.name=x=y", ",", "metadata.name=\\z", "metadata.name=a,,"])("refuses %j", (text) => {
    try {
      matches(text);
      expect.unreachable();
    } catch (error) {
      expect(isApiError(error, "BadRequest")).toBe(true);
    }
  });

  it("carries any value through escaping", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const selector = parseFieldSelector(`metadata.name=${value.replace(/[\\,=]/g, "\\$&")}`);
        return value.startsWith("=") || selector.matches(() => value);
      }),
    );
  });
});
