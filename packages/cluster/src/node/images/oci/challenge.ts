/** What a registry says one must prove, in a `WWW-Authenticate` header. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SCHEME = new RegExp(`^\\s*,*\\s*(${TOKEN})(?=\\s|,|$)(?!\\s*=)`, "u");
const PARAMETER = new RegExp(`^\\s*,?\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, "u");

/** Reads the challenges of a header, in order. What cannot be read ends it. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header;
  for (;;) {
    const scheme = SCHEME.exec(rest);
    if (scheme === null) return challenges;
    rest = rest.slice(scheme[0].length);
    const parameters: Record<string, string> = {};
    for (let found = PARAMETER.exec(rest); found !== null; found = PARAMETER.exec(rest)) {
      const [all, name = "", quoted, plain = ""] = found;
      parameters[name.toLowerCase()] = quoted === undefined ? plain : quoted.replaceAll(/\\(.)/gu, "$1");
      rest = rest.slice(all.length);
    }
    challenges.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters });
  }
}
