const BLOCK = /(?:^|[\s:-])[|>][-+\d]*[ \t]*(?:#.*)?$/u;
/** What may stand before the text of a line: list items, and a key in quotes or without. */
const START = /[ \t]*(?:- +)*(?:(?:(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*')[ \t]*|[^\s"'#&*!|>%@`[{-][^\n]*?):[ \t]+)?/uy;
const QUOTED = /"(?:[^"\\]|\\[^])*"|'(?:[^']|'')*'/uy;

/**
 * Indents the lines of quoted text further than any list or map that it is in. PyYAML writes, and with libyaml's readers takes,
 * such lines as deep as the dash of their list, which YAML forbids; how deep they are never changes what is quoted.
 */
export function indentQuoted(text: string): string {
  let result = "";
  let position = 0;
  while (position < text.length) {
    START.lastIndex = position;
    const start = START.exec(text)?.[0] ?? "";
    QUOTED.lastIndex = position + start.length;
    const quoted = QUOTED.exec(text)?.[0] ?? "";
    const lineEnd = text.indexOf("\n", position + start.length + quoted.length);
    const end = lineEnd < 0 ? text.length : lineEnd + 1;
    result += start + quoted.replace(/\n[ \t]*(?=[^\s])/gu, `\n${" ".repeat(start.length + 1)}`);
    result += text.slice(position + start.length + quoted.length, end);
    const line = text.slice(position, end).trimEnd();
    position = quoted === "" && BLOCK.test(line) ? blockEnd(text, end, line) : end;
    if (quoted === "" && position > end) result += text.slice(end, position);
  }
  return result;
}

/** Where the lines of a literal or folded text end, which are as deep as the first of them unless its header says how deep. */
function blockEnd(text: string, start: number, header: string): number {
  const said = /\d/u.exec(BLOCK.exec(header)?.[0] ?? "");
  const first = /^(?:[ \t]*\n)*( *)/u.exec(text.slice(start))?.[1]?.length ?? 0;
  const depth = said === null ? first : header.length - header.trimStart().length + Number(said[0]);
  let position = start;
  while (position < text.length) {
    const lineEnd = text.indexOf("\n", position);
    const end = lineEnd < 0 ? text.length : lineEnd + 1;
    const line = text.slice(position, end);
    if (line.trim() !== "" && line.length - line.trimStart().length < depth) break;
    position = end;
  }
  return position;
}
