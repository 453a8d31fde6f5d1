import type { IncrementalTest, IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { ListValueSchema, type Any } from "@bufbuild/protobuf/wkt";
import { CelBudget } from "./budget.ts";
import { check } from "./checker.ts";
import { equal } from "./equality.ts";
import { CelError } from "./errors.ts";
import { library, namedTypes } from "./library/index.ts";
import { parse } from "./parser.ts";
import { programOf } from "./program.ts";
import { DYN, formatType, type CelType, type ScalarKind } from "./types.ts";
import { CelTypeValue, CelUint, typeNameOf, ValueList, ValueMap, keyOf, type CelValue, type MapKey } from "./values.ts";

type Simple = IncrementalTest["original"];
type Value = Extract<Simple["resultMatcher"], { case: "value" }>["value"];
type DeclaredType = NonNullable<Extract<Simple["resultMatcher"], { case: "typedResult" }>["value"]["deducedType"]>;

/** A test that speaks of what Kubernetes does not have, such as messages. */
class Foreign extends Error {}

/** All tests of a suite, with names that are unique. */
export function testsOf(suite: IncrementalTestSuite, path = ""): [string, IncrementalTest][] {
  const here = path === "" ? suite.name : `${path}/${suite.name}`;
  const seen = new Map<string, number>();
  const own = suite.tests.map((test): [string, IncrementalTest] => {
    const count = (seen.get(test.name) ?? 0) + 1;
    seen.set(test.name, count);
    return [`${here}/${test.name}${count === 1 ? "" : `#${count}`}`, test];
  });
  return [...own, ...suite.suites.flatMap((child) => testsOf(child, here))];
}

/** Why a test of the conformance suite fails; undefined if it passes. */
export function runConformance({ original }: IncrementalTest): string | undefined {
  try {
    return judge(original);
  } catch (error) {
    if (error instanceof Foreign) return error.message;
    throw error;
  }
}

function judge(test: Simple): string | undefined {
  if (test.container !== "") return "containers";
  const variables: Record<string, CelType> = {};
  const bindings: Record<string, CelValue> = {};
  for (const name of Object.keys(test.bindings)) variables[name] = DYN;
  for (const { name, declKind } of test.typeEnv) {
    if (declKind.case !== "ident") throw new Foreign("declared functions");
    variables[name] = declKind.value.type === undefined ? DYN : readType(declKind.value.type);
  }
  for (const [name, { kind }] of Object.entries(test.bindings)) {
    if (kind.case !== "value") throw new Foreign("unknown values");
    bindings[name] = readValue(kind.value);
  }
  const outcome = run(test, variables, bindings);
  const { resultMatcher } = test;
  if (resultMatcher.case === "evalError" || resultMatcher.case === "anyEvalErrors")
    return outcome instanceof CelError ? undefined : "a value instead of an error";
  if (resultMatcher.case === "unknown" || resultMatcher.case === "anyUnknowns") return "unknown values";
  if (resultMatcher.case === "value") return compare(outcome, resultMatcher.value);
  if (resultMatcher.case === "typedResult") {
    const { result, deducedType } = resultMatcher.value;
    if (!test.disableCheck && deducedType !== undefined && !(outcome instanceof CelError)) {
      const expected = formatType(readType(deducedType));
      if (formatType(outcome.type) !== expected) return `type ${formatType(outcome.type)} instead of ${expected}`;
    }
    return result === undefined ? (outcome instanceof CelError ? outcome.message : undefined) : compare(outcome, result);
  }
  return outcome instanceof CelError ? outcome.message : outcome.value === true ? undefined : "not true";
}

function run(test: Simple, variables: Record<string, CelType>, bindings: Record<string, CelValue>): { type: CelType; value: CelValue } | CelError {
  try {
    const expression = parse(test.expr, { macros: !test.disableMacros });
    const environment = { variables: new Map(Object.entries(variables)), types: namedTypes, library };
    const checked = check(expression, environment);
    if (checked.issues.length > 0 && !test.disableCheck) return new CelError("compile", checked.issues.map(({ message }) => message).join("\n"));
    if (test.checkOnly) return { type: checked.type, value: null };
    const program = programOf(test.expr, { expression, checked }, { variables });
    return { type: checked.type, value: program.evaluateRaw(bindings, new CelBudget()) };
  } catch (error) {
    if (error instanceof CelError) return error;
    return new CelError("compile", error instanceof Error ? error.message : String(error));
  }
}

/** Why the type of a test of the parser or the checker is another; undefined if it is the expected one. */
export function runCheck({ original, type }: IncrementalTest): string | undefined {
  try {
    // What upstream says of the others depends on what its test has switched off.
    if (type === undefined) return undefined;
    const variables = new Map<string, CelType>();
    for (const { name, declKind } of original.typeEnv) {
      if (declKind.case !== "ident") throw new Foreign("declared functions");
      variables.set(name, declKind.value.type === undefined ? DYN : readType(declKind.value.type));
    }
    if (original.container !== "") throw new Foreign("containers");
    const found = typeOf(original, variables);
    if (found instanceof Error) return found.message;
    return found === type ? undefined : `type ${found} instead of ${type}`;
  } catch (failure) {
    if (failure instanceof Foreign) return failure.message;
    throw failure;
  }
}

function typeOf({ expr, disableMacros }: Simple, variables: ReadonlyMap<string, CelType>): string | Error {
  try {
    const checked = check(parse(expr, { macros: !disableMacros }), { variables, types: namedTypes, library });
    return checked.issues.length > 0 ? new Error(checked.issues.map(({ message }) => message).join("\n")) : shortName(formatType(checked.type));
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** The suite of the checker calls some types by other names than messages do. */
function shortName(type: string): string {
  return type.replaceAll("google.protobuf.Duration", "duration").replaceAll("google.protobuf.Timestamp", "timestamp");
}

function compare(outcome: { value: CelValue } | CelError, expected: Value): string | undefined {
  if (outcome instanceof CelError) return outcome.message;
  const wanted = readValue(expected);
  const { value } = outcome;
  if (Number.isNaN(value) && Number.isNaN(wanted)) return undefined;
  if (typeNameOf(value) !== typeNameOf(wanted)) return `${typeNameOf(value)} instead of ${typeNameOf(wanted)}`;
  return equal(value, wanted, new CelBudget()) === true ? undefined : "another value";
}

function readValue({ kind }: Value): CelValue {
  if (kind.case === "nullValue") return null;
  if (
    kind.case === "boolValue" ||
    kind.case === "int64Value" ||
    kind.case === "doubleValue" ||
    kind.case === "stringValue" ||
    kind.case === "bytesValue"
  )
    return kind.value;
  if (kind.case === "uint64Value") return new CelUint(kind.value);
  if (kind.case === "listValue") return new ValueList(kind.value.values.map(readValue));
  if (kind.case === "mapValue") {
    const entries = kind.value.entries.map(({ key, value }): [string | boolean | bigint, readonly [MapKey, CelValue]] => {
      if (key === undefined || value === undefined) throw new Foreign("entries without a key or value");
      const read = readValue(key);
      return [keyOf(read) ?? "", [read as MapKey, readValue(value)]];
    });
    return new ValueMap(new Map(entries));
  }
  if (kind.case === "typeValue") return new CelTypeValue(kind.value);
  if (kind.case === "objectValue") return readMessage(kind.value);
  throw new Foreign(`values of kind ${kind.case ?? "none"}`);
}

function readMessage({ typeUrl }: Any): CelValue {
  throw new Foreign(`messages such as ${typeUrl || ListValueSchema.typeName}`);
}

const PRIMITIVES: readonly (ScalarKind | undefined)[] = [undefined, "bool", "int", "uint", "double", "string", "bytes"];
const WELL_KNOWN: readonly (ScalarKind | undefined)[] = [undefined, undefined, "timestamp", "duration"];

function scalar(kind: ScalarKind | undefined): CelType {
  if (kind === undefined) throw new Foreign("google.protobuf.Any");
  return { kind };
}

function readType({ typeKind }: DeclaredType): CelType {
  if (typeKind.case === "dyn") return DYN;
  if (typeKind.case === "null") return { kind: "null" };
  if (typeKind.case === "primitive") return scalar(PRIMITIVES[typeKind.value]);
  if (typeKind.case === "wellKnown") return scalar(WELL_KNOWN[typeKind.value]);
  if (typeKind.case === "listType") return { kind: "list", items: typeKind.value.elemType === undefined ? DYN : readType(typeKind.value.elemType) };
  if (typeKind.case === "mapType") {
    const { keyType, valueType } = typeKind.value;
    return { kind: "map", key: keyType === undefined ? DYN : readType(keyType), value: valueType === undefined ? DYN : readType(valueType) };
  }
  if (typeKind.case === "typeParam") return { kind: "param", name: typeKind.value };
  if (typeKind.case === "type") return typeKind.value.typeKind.case === undefined ? { kind: "type" } : { kind: "type", of: readType(typeKind.value) };
  if (typeKind.case === "abstractType") {
    const [of] = typeKind.value.parameterTypes;
    if (typeKind.value.name === "optional_type" && of !== undefined) return { kind: "optional", of: readType(of) };
    throw new Foreign(`type ${typeKind.value.name}`);
  }
  throw new Foreign(`type of kind ${typeKind.case ?? "none"}`);
}
