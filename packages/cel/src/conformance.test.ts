import {
  getCheckingSuite,
  getComprehensionSuite,
  getConformanceSuite,
  getParsingSuite,
  type IncrementalTest,
  type IncrementalTestSuite,
} from "@bufbuild/cel-spec/testdata/tests.js";
import { describe, expect, test } from "vitest";
import { conformanceGaps } from "./conformance-gaps.fixture.ts";
import { runCheck, runConformance, testsOf } from "./conformance.fixture.ts";

const gaps = Object.values(conformanceGaps).flat();

function isGap(name: string): boolean {
  return gaps.some((gap) => (gap.endsWith("/") ? name.startsWith(gap) : name === gap));
}

const suites: readonly [IncrementalTestSuite, string, (test: IncrementalTest) => string | undefined][] = [
  ...getConformanceSuite().suites.map((suite): [IncrementalTestSuite, string, typeof runConformance] => [suite, "conformance", runConformance]),
  [getParsingSuite(), "", runCheck],
  [getCheckingSuite(), "", runCheck],
  [getComprehensionSuite(), "", runCheck],
];

describe("the specification of CEL", () => {
  test.each(suites.map(([suite, path, run]) => [suite.name, suite, path, run] as const))("%s", (_, suite, path, run) => {
    const results = testsOf(suite, path).map(([name, one]) => [name, run(one)] as const);
    expect(results.filter(([name, why]) => why !== undefined && !isGap(name))).toEqual([]);
    expect(results.filter(([name, why]) => why === undefined && isGap(name)).map(([name]) => name)).toEqual([]);
  });

  test("every gap names a test", () => {
    const names = suites.flatMap(([suite, path]) => testsOf(suite, path).map(([name]) => name));
    expect(gaps.filter((gap) => !names.some((name) => (gap.endsWith("/") ? name.startsWith(gap) : name === gap)))).toEqual([]);
  });
});
