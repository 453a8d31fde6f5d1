import fc from "fast-check";
import { expect, test } from "vitest";
import { addressesIn, chooseSubnet, formatAddress, formatSubnet, overlaps, parseAddress, parseSubnet, type Subnet } from "./subnet.ts";

const range = parseSubnet("10.128.0.0/9") ?? { base: 0, prefix: 32 };

test("addresses and subnets are read as they are written", () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), (value) => parseAddress(formatAddress(value)) === value));
  expect(formatSubnet(parseSubnet("10.1.2.3/16") ?? range)).toBe("10.1.0.0/16");
  expect(addressesIn(parseSubnet("10.0.0.0/20") ?? range)).toBe(4096);
  for (const text of ["", "10.0.0", "10.0.0.256/8", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "::1/64"]) expect(parseSubnet(text)).toBeUndefined();
});

test("the chosen subnet lies in the range and overlaps nothing that is taken", () => {
  const subnets = fc.record({ base: fc.nat(2 ** 23 - 1).map((offset) => range.base + offset), prefix: fc.integer({ min: 12, max: 32 }) });
  fc.assert(
    fc.property(
      fc.array(subnets.map(({ base, prefix }): Subnet => ({ base: base - (base % 2 ** (32 - prefix)), prefix }))),
      fc.nat(2 ** 24),
      (taken, seed) => {
        const chosen = chooseSubnet(range, taken, { prefix: 20, seed });
        expect(chosen).toBeDefined();
        expect(chosen !== undefined && overlaps(chosen, range) && chosen.prefix === 20).toBe(true);
        expect(taken.some((other) => chosen !== undefined && overlaps(chosen, other))).toBe(false);
      },
    ),
    { numRuns: 200 },
  );
});

test("a range that is all taken has nothing to give", () => {
  expect(chooseSubnet(range, [{ base: 0, prefix: 1 }], { prefix: 20, seed: 7 })).toBeUndefined();
});
