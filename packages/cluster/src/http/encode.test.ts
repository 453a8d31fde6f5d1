import { builtinResources, type KubernetesList, type UnknownObject } from "@sluice/kubernetes";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toPartialObjectMetadataList, toTable } from "../api-server/table.ts";
import { encodeAnswer, watchEncoder, type Encoding } from "./encode.ts";

const ConfigMap = builtinResources.find(({ kind }) => kind === "ConfigMap")!;
const encoding = (form: Encoding["form"]): Encoding => ({ form, resource: ConfigMap, includeObject: "Metadata", now: () => 0 });

function listOf(sizes: readonly number[]): KubernetesList {
  const items = sizes.map((size, index): UnknownObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `m-${index}`, namespace: "a", labels: { text: '"\n}' } },
    data: { x: "é".repeat(size) },
  }));
  return { apiVersion: "v1", kind: "ConfigMapList", metadata: { resourceVersion: "7" }, items };
}

test("a list is written in slices that together are what it is in one piece", () => {
  const sizes = fc.array(fc.oneof(fc.nat(200), fc.nat(200_000)), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, (all) => {
      const list = listOf(all);
      const whole = { object: list, table: toTable(ConfigMap, list, { now: new Date(0) }), metadata: toPartialObjectMetadataList(list) };
      for (const form of ["object", "table", "metadata"] as const) {
        const slices = [...encodeAnswer(list, encoding(form))];
        expect(Math.max(...slices.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024);
        expect(Buffer.concat(slices).toString()).toBe(JSON.stringify(whole[form]));
        const pretty = Buffer.concat([...encodeAnswer(list, encoding(form), { isPretty: true })]).toString();
        expect(pretty).toBe(`${JSON.stringify(whole[form], undefined, 2)}\n`);
      }
    }),
    { numRuns: 50 },
  );
});

test("watchers of one large object share its bytes", () => {
  const object: UnknownObject = Object.freeze({ ...listOf([300_000]).items[0]! });
  const [first, second] = [0, 1].map(() => [...watchEncoder(encoding("object"))({ type: "ADDED", object })]);
  expect(JSON.parse(Buffer.concat(first!).toString())).toEqual({ type: "ADDED", object });
  expect(first![2]!.buffer).toBe(second![2]!.buffer);
});
