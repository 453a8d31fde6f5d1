import fc from "fast-check";
import { expect, test } from "vitest";
import { shellCommands } from "./shell-commands.ts";

const certain = (script: string): readonly (readonly (string | undefined)[])[] =>
  shellCommands(script)
    .filter((command) => command.isCertain)
    .map(({ words }) => words);

test.each<[script: string, commands: readonly (readonly (string | undefined)[])[]]>([
  ["a b  c", [["a", "b", "c"]]],
  ["a 'b c' \"d e\" f\\ g h'i'j", [["a", "b c", "d e", "f g", "hij"]]],
  ["a && b; c\nd & e", [["a"], ["b"], ["c"], ["d"], ["e"]]],
  ["a || b && c; d", [["a"], ["d"]]],
  ["if x; then a; elif y; then z; else b; fi; c", [["x"], ["c"]]],
  ['if ! [ -x "$(command -v pip)" ]; then\n a || b\nfi\nc', [["[", "-x", undefined, "]"], ["c"]]],
  ["case x in a) b;; esac; c", [["c"]]],
  ["f() { a; }; b", [["f"], ["b"]]],
  ["for i in 1 2; do a; done; (b; c); d", [["d"]]],
  ['a $X ${Y:-\'}\'} "$(b "c")" `d` e', [["a", undefined, undefined, undefined, undefined, "e"]]],
  ['a "x\\"y" \'x"y\' "it\'s"', [["a", 'x"y', 'x"y', "it's"]]],
  ["a # b\nc #d", [["a"], ["c"]]],
  ["a > /dev/null 2>&1 b", [["a", "b"]]],
  ["a \\\n  b", [["a", "b"]]],
  ["cat << EOF\nx\nEOF", [["cat"]]],
  ['a "$" x*', [["a", undefined, undefined]]],
  ["A=1 B='2 3' a $A", [["A=1", "B=2 3", "a", undefined]]],
  ['A=1; B=\'2 3\'\na $A "$B" $B x$A "x${B}" x$B', [["A=1"], ["B=2 3"], ["a", "1", "2 3", "2", "3", "x1", "x2 3", undefined]]],
  ["A=(x 'y z'\n w)\na \"${A[@]}\" b ${#A} $1", [["a", "x", "y z", "w", "b", undefined, undefined]]],
  ["if x; then A=1; fi; a $A", [["x"], ["a", undefined]]],
])("%j", (script, commands) => {
  expect(certain(script)).toEqual(commands);
});

test("any words survive quoting", () => {
  const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (words) => {
      expect(certain(words.map(quote).join(" "))).toEqual([words]);
    }),
  );
});

test("no script takes it out of step", () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    "\\",
    "$(",
    ")",
    "`",
    "${",
    "}",
    "if",
    "then",
    "fi",
    "A=",
    "(",
    "$A",
    ";",
    "\n",
    " ",
    "a",
    "<<",
    "#",
    "&&",
    "||",
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => Array.isArray(shellCommands(pieces.join("")))),
    { numRuns: 2000 },
  );
});
