import { fn, method, readsFirst, type NamedOverload } from "../functions.ts";
import { BOOL, listOf, mapOf, opaque, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, ValueList, ValueMap, type CelResult, type CelValue, type MapKey } from "../values.ts";

interface Url {
  readonly scheme: string;
  /** With its port, if one is given. */
  readonly host: string;
  /** As it is written. */
  readonly path: string;
  readonly query: string;
}

const urlType: OpaqueType<Url> = opaque("kubernetes.URL");

// oxlint-disable-next-line no-control-regex -- these are what no URL may hold
const CONTROL = /[\x00-\x1f\x7f]/;
const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;
const HOST = /^(?:[^@/]*@)?((?:\[[0-9a-fA-F:.%a-z]+\]|[^:[\]%\s"<>\\^`{|}]*(?:%[0-9a-fA-F]{2}[^:[\]%\s]*)*)(?::\d*)?)$/;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;
/** A path that is already as it should be written. */
const ENCODED_PATH = /^(?:[a-zA-Z0-9\-_.~!$&'()*+,;=:@[\]/]|%[0-9a-fA-F]{2})*$/;
const UNSAFE_IN_PATH = /[^a-zA-Z0-9\-_.~$&+,/:;=@]/gu;

/** The parts of a URL that is absolute, or of an absolute path; or why it is neither. */
function parseUrl(text: string): Url | CelFailure {
  const wrong = (why: string): CelFailure =>
    new CelFailure(`URL parse error during conversion from string: parse ${JSON.stringify(text.slice(0, 256))}: ${why}`);
  if (text === "") return wrong("empty url");
  if (CONTROL.test(text)) return wrong("net/url: invalid control character in URL");
  const scheme = SCHEME.exec(text)?.[1];
  if (scheme === undefined && text.startsWith(":")) return wrong("missing protocol scheme");
  const [withoutFragment = ""] = text.slice(scheme === undefined ? 0 : scheme.length + 1).split("#", 1);
  const mark = withoutFragment.indexOf("?");
  const before = mark < 0 ? withoutFragment : withoutFragment.slice(0, mark);
  const query = mark < 0 ? "" : withoutFragment.slice(mark + 1);
  if (!before.startsWith("/")) {
    return scheme === undefined ? wrong("invalid URI for request") : { scheme: scheme.toLowerCase(), host: "", path: "", query };
  }
  let host = "";
  let path = before;
  if (before.startsWith("//") && (scheme !== undefined || !before.startsWith("///"))) {
    const end = before.indexOf("/", 2);
    const authority = before.slice(2, end < 0 ? undefined : end);
    path = end < 0 ? "" : before.slice(end);
    const match = HOST.exec(authority);
    if (match === null)
      return wrong(/:[^\]]*$/.test(authority) ? `invalid port ${JSON.stringify(authority)} after host` : "invalid character in host name");
    host = match[1] ?? "";
  }
  if (BAD_ESCAPE.test(path)) return wrong(`invalid URL escape ${JSON.stringify(/%.{0,2}/.exec(path)?.[0] ?? "")}`);
  return { scheme: (scheme ?? "").toLowerCase(), host, path, query };
}

function hostname({ host }: Url): string {
  const bracketed = /^\[(.*)\]/.exec(host);
  return bracketed?.[1] ?? host.split(":", 1)[0] ?? "";
}

function port({ host }: Url): string {
  return /:(\d*)$/.exec(host.replace(/^\[.*\]/, ""))?.[1] ?? "";
}

function escapedPath({ path }: Url): string {
  if (ENCODED_PATH.test(path)) return path;
  const raw = path.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (escaped) => decode(escaped) ?? escaped);
  return raw.replaceAll(UNSAFE_IN_PATH, (character) =>
    Array.from(new TextEncoder().encode(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function parameters({ query }: Url): CelValue {
  const lists = new Map<string, string[]>();
  for (const part of query.split("&")) {
    if (part === "" || part.includes(";")) continue;
    const equals = part.indexOf("=");
    const key = decode((equals < 0 ? part : part.slice(0, equals)).replaceAll("+", " "));
    const value = decode((equals < 0 ? "" : part.slice(equals + 1)).replaceAll("+", " "));
    if (key === undefined || value === undefined) continue;
    const list = lists.get(key);
    if (list === undefined) lists.set(key, [value]);
    else list.push(value);
  }
  return new ValueMap(new Map([...lists].map(([key, values]): [string, readonly [MapKey, CelValue]] => [key, [key, new ValueList(values)]])));
}

function url(text: string): CelResult {
  const parsed = parseUrl(text);
  return parsed instanceof CelFailure ? parsed : new CelOpaque(urlType, parsed, text);
}

/** URLs. */
export const urls: readonly NamedOverload[] = [
  fn("url", [STRING], urlType, url, { cost: readsFirst }),
  fn("isURL", [STRING], BOOL, (text) => !(parseUrl(text) instanceof CelFailure), { cost: readsFirst }),
  method("getScheme", [urlType], STRING, ({ value }) => value.scheme),
  method("getHost", [urlType], STRING, ({ value }) => value.host),
  method("getHostname", [urlType], STRING, ({ value }) => hostname(value)),
  method("getPort", [urlType], STRING, ({ value }) => port(value)),
  method("getEscapedPath", [urlType], STRING, ({ value }) => escapedPath(value), { cost: ({ value }) => 1 + Math.floor(value.path.length * 0.1) }),
  method("getQuery", [urlType], mapOf(STRING, listOf(STRING)), ({ value }) => parameters(value), {
    cost: ({ value }) => 1 + Math.floor(value.query.length * 0.1),
  }),
];
