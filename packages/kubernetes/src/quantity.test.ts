import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type QuantityFormat } from "./quantity.ts";

const canonical = (text: string): string => formatQuantity(parseQuantity(text));
const quantity = fc.record({
  nanos: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
  format: fc.constantFrom<QuantityFormat[]>("DecimalSI", "BinarySI", "DecimalExponent"),
});

describe("quantity", () => {
  it.each([
    ["0", "0"],
    ["-0Gi", "0"],
    ["1.5", "1500m"],
    ["0.1", "100m"],
    [".5", "500m"],
    ["5.", "5"],
    ["+1000m", "1"],
    ["-1500m", "-1500m"],
    ["1000k", "1M"],
    ["1E", "1E"],
    ["1000E", "1000E"],
    ["1.5Gi", "1536Mi"],
    ["1024Mi", "1Gi"],
    ["0.5Ki", "512"],
    ["1.0001Ki", "1024102400u"],
    ["1e3", "1e3"],
    ["1E3", "1e3"],
    ["12e6", "12e6"],
    ["1e4", "10e3"],
    ["1e0", "1"],
    ["100e-3", "100e-3"],
    ["0.1n", "1n"],
    ["-1e-30", "-1e-9"],
  ])("writes %s as %s", (text, expected) => expect(canonical(text)).toBe(expected));

  it.each(["", ".", "-", "abc", "1 Gi", "1KI", "1K", "1mi", "1e", "1e+", "1e99999999", "--1", "1.2.3", "9".repeat(500)])("refuses %j", (text) => {
    expect(() => parseQuantity(text)).toThrow(/^invalid quantity /);
  });

  it("says what is wrong with a suffix", () => expect(() => parseQuantity("1Gb")).toThrow('the suffix "Gb" is unknown'));

  it("compares across notations and adds exactly", () => {
    expect(compareQuantities(parseQuantity("1Ki"), parseQuantity("1k"))).toBe(1);
    expect(compareQuantities(parseQuantity("1024"), parseQuantity("1Ki"))).toBe(0);
    expect(formatQuantity(addQuantities(parseQuantity("0.1"), parseQuantity("0.2")))).toBe("300m");
    expect(formatQuantity(addQuantities(parseQuantity("0"), parseQuantity("1Gi")))).toBe("1Gi");
  });

  it("reads back what it writes, and the form is stable", () => {
    fc.assert(
      fc.property(quantity, (value) => {
        const text = formatQuantity(value);
        expect(parseQuantity(text).nanos).toBe(value.nanos);
        expect(canonical(text)).toBe(text);
      }),
    );
  });
});
