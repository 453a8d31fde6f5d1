/** A piece of a paragraph. */
export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "strong" | "emphasis" | "struck"; readonly children: readonly Inline[] }
  | { readonly type: "link"; readonly url: string; readonly children: readonly Inline[] };

/** A block of a document. */
export type Block =
  | { readonly type: "heading"; readonly level: number; readonly children: readonly Inline[] }
  | { readonly type: "paragraph"; readonly children: readonly Inline[] }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "rule" }
  | { readonly type: "quote"; readonly blocks: readonly Block[] }
  | { readonly type: "list"; readonly isOrdered: boolean; readonly start: number; readonly items: readonly (readonly Block[])[] }
  | { readonly type: "table"; readonly header: readonly (readonly Inline[])[]; readonly rows: readonly (readonly (readonly Inline[])[])[] };

const FENCE = /^ {0,3}(`{3,}|~{3,})/u;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/u;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/u;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)/u;
const TABLE_LINE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/u;

/** Reads the Markdown that reports are written in. HTML in it stays text, so nothing of it runs. */
export function parseMarkdown(text: string): readonly Block[] {
  return parseLines(text.replaceAll("\r\n", "\n").split("\n"));
}

function parseLines(lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? "";
    const heading = HEADING.exec(line);
    const fence = FENCE.exec(line)?.[1];
    if (line.trim() === "") at++;
    else if (fence !== undefined) {
      let end = at + 1;
      while (end < lines.length && !(FENCE.exec(lines[end] ?? "")?.[1]?.startsWith(fence) === true)) end++;
      blocks.push({ type: "code", text: lines.slice(at + 1, end).join("\n") });
      at = end + 1;
    } else if (heading !== null) {
      blocks.push({ type: "heading", level: heading[1]?.length ?? 1, children: parseInline(heading[2] ?? "") });
      at++;
    } else if (RULE.test(line)) {
      blocks.push({ type: "rule" });
      at++;
    } else if (/^ {0,3}>/u.test(line)) {
      const end = endOf(lines, at, (next) => /^ {0,3}>/u.test(next));
      blocks.push({ type: "quote", blocks: parseLines(lines.slice(at, end).map((quoted) => quoted.replace(/^ {0,3}> ?/u, ""))) });
      at = end;
    } else if (ITEM.test(line)) {
      const { list, end } = parseList(lines, at);
      blocks.push(list);
      at = end;
    } else if (line.includes("|") && TABLE_LINE.test(lines[at + 1] ?? "")) {
      const end = endOf(lines, at + 2, (next) => next.includes("|"));
      blocks.push({ type: "table", header: cellsOf(line), rows: lines.slice(at + 2, end).map(cellsOf) });
      at = end;
    } else {
      const end = endOf(lines, at + 1, (next) => next.trim() !== "" && !startsBlock(next));
      blocks.push({
        type: "paragraph",
        children: parseInline(
          lines
            .slice(at, end)
            .map((part) => part.trim())
            .join("\n"),
        ),
      });
      at = end;
    }
  }
  return blocks;
}

function startsBlock(line: string): boolean {
  return HEADING.test(line) || FENCE.test(line) || RULE.test(line) || ITEM.test(line) || /^ {0,3}>/u.test(line);
}

function endOf(lines: readonly string[], from: number, belongs: (line: string) => boolean): number {
  let end = from;
  while (end < lines.length && belongs(lines[end] ?? "")) end++;
  return end;
}

function parseList(lines: readonly string[], from: number): { readonly list: Block; readonly end: number } {
  const marker = ITEM.exec(lines[from] ?? "")?.[2] ?? "-";
  const isOrdered = /\d/u.test(marker);
  const items: (readonly Block[])[] = [];
  let at = from;
  while (at < lines.length) {
    const match = ITEM.exec(lines[at] ?? "");
    if (match === null || /\d/u.test(match[2] ?? "") !== isOrdered) break;
    const indent = match[0].length;
    const own = [(lines[at] ?? "").slice(indent)];
    at++;
    for (; at < lines.length; at++) {
      const line = lines[at] ?? "";
      const isInside = line.startsWith("  ") && line.trim() !== "";
      const isBlankInside = line.trim() === "" && (lines[at + 1] ?? "").startsWith("  ");
      const isLazy = line.trim() !== "" && !startsBlock(line) && own.at(-1)?.trim() !== "";
      if (!isInside && !isBlankInside && !isLazy) break;
      own.push(isInside ? line.slice(Math.min(indent, /^ */u.exec(line)?.[0].length ?? 0)) : line.trim());
    }
    items.push(parseLines(own));
    while (at < lines.length && (lines[at] ?? "").trim() === "" && ITEM.test(lines[at + 1] ?? "")) at++;
  }
  return { list: { type: "list", isOrdered, start: isOrdered ? Number.parseInt(marker, 10) : 1, items }, end: at };
}

function cellsOf(line: string): readonly (readonly Inline[])[] {
  const inner = line.trim().replace(/^\||\|$/gu, "");
  return inner.split(/(?<!\\)\|/u).map((cell) => parseInline(cell.trim().replaceAll("\\|", "|")));
}

const INLINE =
  /(`+)(.+?)\1|!?\[([^\]]*)\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|\*\*(?=\S)(.+?)(?<=\S)\*\*|__(?=\S)(.+?)(?<=\S)__|~~(.+?)~~|\*(?=[^\s*])(.+?)(?<=\S)\*|(?<!\w)_(?=[^\s_])(.+?)(?<=\S)_(?!\w)|<(https?:[^\s>]+)>|\bhttps?:\/\/[^\s<>()]+[^\s<>().,;:!?'"]|\\([!-/:-@[-`{-~])/su;

function parseInline(text: string): readonly Inline[] {
  const parts: Inline[] = [];
  const say = (more: string): void => {
    if (more !== "") parts.push({ type: "text", text: more });
  };
  let rest = text;
  for (let match = INLINE.exec(rest); match !== null; match = INLINE.exec(rest)) {
    say(rest.slice(0, match.index));
    rest = rest.slice(match.index + match[0].length);
    const [whole, ticks, code, label, url, strong, strong2, struck, emphasis, emphasis2, address, escaped] = match;
    if (ticks !== undefined) parts.push({ type: "code", text: (code ?? "").trim() });
    else if (label !== undefined) parts.push(linkOf(url ?? "", parseInline(label)));
    else if (strong !== undefined || strong2 !== undefined) parts.push({ type: "strong", children: parseInline(strong ?? strong2 ?? "") });
    else if (struck !== undefined) parts.push({ type: "struck", children: parseInline(struck) });
    else if (emphasis !== undefined || emphasis2 !== undefined) parts.push({ type: "emphasis", children: parseInline(emphasis ?? emphasis2 ?? "") });
    else if (escaped !== undefined) say(escaped);
    else parts.push(linkOf(address ?? whole, [{ type: "text", text: address ?? whole }]));
  }
  say(rest);
  return parts;
}

/** A link that leads out of this page, or else only its words: a report may not run scripts, nor stand for this server. */
function linkOf(url: string, children: readonly Inline[]): Inline {
  return /^(?:https?:|mailto:)/iu.test(url) ? { type: "link", url, children } : { type: "strong", children };
}
