import fc from "fast-check";
import { expect, test } from "vitest";
import { readPieces, stripEscapes } from "./ansi.ts";
import { findLines, LogBuffer } from "./log-buffer.ts";
import { LogRows, slicePieces } from "./log-rows.ts";

const ESC = "\u001b";
const buffer = (...chunks: string[]): LogBuffer => {
  const log = new LogBuffer();
  for (const chunk of chunks) log.append(chunk);
  return log;
};
const texts = (log: LogBuffer): string[] => Array.from({ length: log.length }, (_, index) => log.text(index));

test("colours begin, change and end", () => {
  const { pieces, end } = readPieces(`a${ESC}[1;31mb${ESC}[39mc${ESC}[0md${ESC}[38;5;196me${ESC}[48;2;1;2;3mf`, {});
  expect(pieces).toEqual([
    { text: "a", style: {} },
    { text: "b", style: { isBold: true, color: "var(--ansi-1)" } },
    { text: "c", style: { isBold: true } },
    { text: "d", style: {} },
    { text: "e", style: { color: "rgb(255 0 0)" } },
    { text: "f", style: { color: "rgb(255 0 0)", background: "rgb(1 2 3)" } },
  ]);
  expect(end).toEqual({ color: "rgb(255 0 0)", background: "rgb(1 2 3)" });
});

test("other escapes are not shown", () => {
  expect(stripEscapes(`${ESC}]0;title\u0007a${ESC}[2Kb${ESC}(Bc`)).toBe("abc");
  expect(stripEscapes(`${ESC}]8;;http://x${ESC}\\link${ESC}]8;;${ESC}\\`)).toBe("link");
});

test("a colour goes on over the end of its line", () => {
  const log = buffer(`${ESC}[32mone\ntwo${ESC}[0m\nthree`);
  expect(log.pieces(1)).toEqual([{ text: "two", style: { color: "var(--ansi-2)" } }]);
  expect(log.pieces(2)).toEqual([{ text: "three", style: {} }]);
});

test("lines are as a terminal leaves them", () => {
  expect(texts(buffer("10%\r50%\r100%\nwindows\r\na\tb\n"))).toEqual(["100%", "windows", "a       b"]);
  expect(texts(buffer("x".repeat(45_000)))).toHaveLength(3);
});

test("chunks may break anywhere", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "\n", "\r", "\t", ESC, "[", "3", "1", "m", "é") }), fc.nat(40), (text, at) => {
      const whole = buffer(text);
      const parts = buffer(text.slice(0, at), text.slice(at));
      expect(texts(parts)).toEqual(texts(whole));
    }),
  );
});

test("wrapped rows show every character once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 30 }).filter((line) => !["\n", "\r", "\t", "\u001b"].some((control) => line.includes(control)))),
      fc.integer({ min: 1, max: 9 }),
      (lines, columns) => {
        const log = buffer(lines.map((line) => `${line}\n`).join(""));
        const rows = new LogRows(log, columns);
        const shown = Array.from({ length: log.length }, () => "");
        for (let row = 0; row < rows.count(); row++) {
          const at = rows.at(row);
          const text = rows
            .pieces(at)
            .map((piece) => piece.text)
            .join("");
          expect(text.length).toBeLessThanOrEqual(columns);
          expect(rows.rowOf(at.line) + at.part).toBe(row);
          shown[at.line] += text;
        }
        expect(shown).toEqual(lines);
      },
    ),
  );
});

test("rows are counted on as lines come", () => {
  const log = buffer("abc\nde");
  const rows = new LogRows(log, 2);
  expect(rows.count()).toBe(3);
  log.append("fgh\ni\n");
  expect(rows.count()).toBe(6);
  expect(rows.at(4)).toEqual({ line: 1, part: 2 });
});

test("pieces are cut by columns, and lines found whatever their case", () => {
  expect(
    slicePieces(
      [
        { text: "abc", style: {} },
        { text: "def", style: { isBold: true } },
      ],
      2,
      4,
    ),
  ).toEqual([
    { text: "c", style: {} },
    { text: "d", style: { isBold: true } },
  ]);
  expect(findLines(buffer(`a${ESC}[1mB\nc\nxAb\n`), "aB")).toEqual([0, 2]);
  expect(findLines(buffer("a"), "")).toEqual([]);
});
