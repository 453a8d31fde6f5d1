import fc from "fast-check";
import { expect, test } from "vitest";
import { labelValue, objectNames } from "./object-names.ts";

const ID = "0123abcd-0000-4000-8000-000000000000";

test.each([
  ["notes", ["notes", "notes-0123abcd"]],
  ["v1.2", ["v1.2", "v1-2-0123abcd"]],
  ["My Notes!", ["my-notes-0123abcd", "my-notes-0123abcd"]],
  ["Ümläut", ["ml-ut-0123abcd", "ml-ut-0123abcd"]],
  ["…", ["0123abcd", "0123abcd"]],
])("%j is shown as %j", (name, names) => {
  expect(objectNames(name, ID)).toEqual(names);
});

test("whatever a thing is called, its object has a name, and its label a value", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 400 }), fc.string({ unit: "grapheme", maxLength: 400 })), (name) => {
      for (const one of objectNames(name, ID)) {
        expect(one).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u);
        expect(one.length).toBeLessThanOrEqual(253);
        expect(labelValue(one)).toMatch(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u);
      }
    }),
  );
});
