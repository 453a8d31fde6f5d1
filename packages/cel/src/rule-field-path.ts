import type { Schema } from "@sluice/kubernetes";

const TOKEN = /'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]']+/gy;
const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "'": "'", "\\": "\\" };

/** The `fieldPath` of a rule, such as `.spec['a.b']`, as errors write it behind the rule's own path; undefined if there is no such field. */
export function parseFieldPath(path: string, schema: Schema): string | undefined {
  const tokens = path.match(TOKEN) ?? [];
  if (tokens.join("") !== path) return undefined;
  let found: Schema | undefined = schema;
  let normalized = "";
  for (let i = 0; i < tokens.length;) {
    const isBracket = tokens[i] === "[";
    const name: string | undefined = isBracket ? unquote(tokens[i + 1]) : tokens[i] === "." ? tokens[i + 1] : undefined;
    if (name === undefined || (isBracket && tokens[i + 2] !== "]") || found === undefined) return undefined;
    i += isBracket ? 3 : 2;
    const { properties, additionalProperties }: Schema = found;
    if (properties !== undefined) {
      found = Object.hasOwn(properties, name) ? properties[name] : undefined;
      normalized += normalized === "" ? name : `.${name}`;
    } else {
      found = typeof additionalProperties === "object" ? additionalProperties : undefined;
      normalized += `[${name}]`;
    }
    if (found === undefined) return undefined;
  }
  return normalized === "" ? undefined : normalized;
}

function unquote(token: string | undefined): string | undefined {
  if (token === undefined || !token.startsWith("'") || !token.endsWith("'") || token.length < 2) return undefined;
  let isValid = true;
  const text = token.slice(1, -1).replaceAll(/\\(.)/g, (_, escaped: string) => {
    isValid &&= Object.hasOwn(ESCAPES, escaped);
    return ESCAPES[escaped] ?? "";
  });
  return isValid ? text : undefined;
}
