import { expect, test } from "vitest";
import { negotiate } from "./negotiate.ts";

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
const PROTOBUF = "application/vnd.kubernetes.protobuf";

test.each<[string | undefined, string | undefined, string | undefined]>([
  [undefined, "object", "object"],
  ["*/*", "object", "object"],
  ["application/json", "object", "object"],
  [`${PROTOBUF},application/json`, "object", "object"],
  [`${PROTOBUF};as=Table;v=v1;g=meta.k8s.io, ${TABLE}, application/json`, "table", "object"],
  [TABLE, "table", undefined],
  [METADATA, "metadata", undefined],
  ["application/json; as=PartialObjectMetadata; g=meta.k8s.io; v=v1", "metadata", undefined],
  ["application/json;as=Table;v=v2;g=meta.k8s.io", undefined, undefined],
  ["application/json;as=Table;v=v1;g=other.io", undefined, undefined],
  [`application/json;q=0.5, ${TABLE}`, "table", "object"],
  [`${TABLE};q=0, application/json`, "object", "object"],
  [PROTOBUF, undefined, undefined],
  ["text/html", undefined, undefined],
])("%s gives %s of a resource, %s of anything else", (accept, ofResource, ofOther) => {
  expect(negotiate(accept, { canTransform: true })).toBe(ofResource);
  expect(negotiate(accept, { canTransform: false })).toBe(ofOther);
});
