import { fn, method, traversal, type NamedOverload } from "../functions.ts";
import { parseDate, parseTimestamp } from "../time.ts";
import { listOf, opaque, optionalOf, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, CelOptional, ValueList } from "../values.ts";
import { fromBase64 } from "../convert.ts";
import { urls } from "./url.ts";

interface Format {
  readonly name: string;
  /** What is wrong with a text. */
  readonly validate: (text: string) => readonly string[];
  /** How long a pattern would be that checks as much; what a check costs. */
  readonly patternSize: number;
}

const formatType: OpaqueType<Format> = opaque("kubernetes.NamedFormat");

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const NAME_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_TEXT =
  "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

function pattern(expression: RegExp, text: string, longest: number, isPrefix = false): Format["validate"] {
  return (name) => {
    const body = isPrefix && name.endsWith("-") ? `${name.slice(0, -1)}a` : name;
    return [
      ...(body.length > longest ? [`must be no more than ${longest} bytes`] : []),
      ...(body.length <= longest && !expression.test(body) ? [text] : []),
    ];
  };
}

function qualifiedName(name: string): readonly string[] {
  const parts = name.split("/");
  if (parts.length > 2) return [QUALIFIED_TEXT];
  const [prefix, local = ""] = parts.length === 2 ? parts : [undefined, parts[0]];
  const problems: string[] = [];
  if (prefix === "") problems.push("prefix part must be non-empty");
  else if (prefix !== undefined) problems.push(...pattern(SUBDOMAIN, SUBDOMAIN_TEXT, 253)(prefix).map((text) => `prefix part ${text}`));
  if (local === "") problems.push("name part must be non-empty");
  else if (local.length > 63) problems.push("name part must be no more than 63 bytes");
  if (local.length <= 63 && !QUALIFIED.test(local)) problems.push(NAME_TEXT);
  return problems;
}

function labelValue(value: string): readonly string[] {
  return value === "" ? [] : pattern(QUALIFIED, VALUE_TEXT, 63)(value);
}

const isUrl = urls.find(({ name }) => name === "isURL");

const FORMATS: Readonly<Record<string, Format>> = {
  dns1123Label: { name: "DNS1123Label", validate: pattern(LABEL, LABEL_TEXT, 63), patternSize: 30 },
  dns1123Subdomain: { name: "DNS1123Subdomain", validate: pattern(SUBDOMAIN, SUBDOMAIN_TEXT, 253), patternSize: 60 },
  dns1035Label: { name: "DNS1035Label", validate: pattern(LABEL_1035, LABEL_1035_TEXT, 63), patternSize: 30 },
  qualifiedName: { name: "QualifiedName", validate: qualifiedName, patternSize: 60 },
  dns1123LabelPrefix: { name: "DNS1123LabelPrefix", validate: pattern(LABEL, LABEL_TEXT, 63, true), patternSize: 30 },
  dns1123SubdomainPrefix: { name: "DNS1123SubdomainPrefix", validate: pattern(SUBDOMAIN, SUBDOMAIN_TEXT, 253, true), patternSize: 60 },
  dns1035LabelPrefix: { name: "DNS1035LabelPrefix", validate: pattern(LABEL_1035, LABEL_1035_TEXT, 63, true), patternSize: 30 },
  labelValue: { name: "LabelValue", validate: labelValue, patternSize: 40 },
  uri: {
    name: "URI",
    validate: (text) => (isUrl?.call(text) === true ? [] : [`parse ${JSON.stringify(text.slice(0, 256))}: invalid URI for request`]),
    patternSize: 1000,
  },
  uuid: { name: "uuid", validate: (text) => (UUID.test(text) ? [] : ["does not match the UUID format"]), patternSize: 100 },
  byte: { name: "byte", validate: (text) => (fromBase64(text) instanceof CelFailure ? ["invalid base64"] : []), patternSize: 100 },
  date: { name: "date", validate: (text) => (parseDate(text) instanceof CelFailure ? ["invalid date"] : []), patternSize: 100 },
  datetime: { name: "datetime", validate: (text) => (parseTimestamp(text) instanceof CelFailure ? ["invalid datetime"] : []), patternSize: 100 },
};

function wrap(format: Format): CelOpaque<Format> {
  return new CelOpaque(formatType, format, format.name);
}

function named(name: string): CelOptional {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  return format === undefined ? CelOptional.none : new CelOptional(wrap(format));
}

function validate({ value }: CelOpaque<Format>, text: string): CelOptional {
  const problems = value.validate(text);
  return problems.length === 0 ? CelOptional.none : new CelOptional(new ValueList(problems));
}

/** The formats of names and of other texts that Kubernetes knows. */
export const formats: readonly NamedOverload[] = [
  ...Object.entries(FORMATS).map(([name, format]) => fn(`format.${name}`, [], formatType, () => wrap(format))),
  fn("format.named", [STRING], optionalOf(formatType), named),
  method("validate", [formatType, STRING], optionalOf(listOf(STRING)), validate, {
    cost: ({ value }, text) => traversal(1 + text.length) * Math.ceil(value.patternSize * 0.25),
  }),
];
