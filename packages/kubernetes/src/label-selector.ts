import { ApiError } from "./errors.ts";

/** How a requirement judges the label. */
export type LabelOperator = "In" | "NotIn" | "Exists" | "DoesNotExist";

/** One condition on one label. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** A selector as objects carry it in their `spec`. */
export interface LabelSelectorSpec {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** A parsed selector: it matches when all of its requirements do, hence always when it has none. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  matches(labels: Readonly<Record<string, string>> | undefined): boolean;
}

/** `!key`, or `key` alone, with `=`/`==`/`!=` and a value, or with `in`/`notin` and a list; up to the comma or the end. */
const REQUIREMENT =
  /\s*(?:!\s*(?<absent>[\w./-]+)\s*|(?<key>[\w./-]+)(?![\w./-])\s*(?:(?<equality>==?|!=)\s*(?:(?<value>[\w.-]+)\s*)?|(?<set>in|notin)\s*\((?<list>[^()]*)\)\s*)?)(?<end>,|$)/y;
const NAME = /^[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** Parses the `labelSelector` of a request, such as `app=web,tier in (a,b),!canary`. */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements: LabelRequirement[] = [];
  for (let position = 0, more = text.trim() !== ""; more;) {
    REQUIREMENT.lastIndex = position;
    const groups = REQUIREMENT.exec(text)?.groups;
    if (groups === undefined) {
      throw invalid(`cannot parse "${text}" at "${text.slice(position)}"; expected key, !key, key=value, key!=value, key in (…) or key notin (…)`);
    }
    position = REQUIREMENT.lastIndex;
    more = groups["end"] === ",";
    requirements.push(requirementOf(groups));
  }
  return selectorOf(requirements);
}

/** Reads a selector in object form, where an empty one matches everything. */
export function labelSelectorFrom(spec: LabelSelectorSpec): LabelSelector {
  const labels = Object.entries(spec.matchLabels ?? {}).map(([key, value]): LabelRequirement => ({
    key,
    operator: "In",
    values: [value],
  }));
  const expressions = (spec.matchExpressions ?? []).map(({ key, operator, values = [] }): LabelRequirement => {
    if (!isOperator(operator)) throw invalid(`"${operator}" is not an operator; use In, NotIn, Exists or DoesNotExist`);
    return { key, operator, values };
  });
  return selectorOf([...labels, ...expressions]);
}

function requirementOf({ absent, key = "", equality, value = "", set, list = "" }: Record<string, string | undefined>): LabelRequirement {
  if (absent !== undefined) return { key: absent, operator: "DoesNotExist", values: [] };
  if (equality !== undefined) return { key, operator: equality === "!=" ? "NotIn" : "In", values: [value] };
  if (set !== undefined)
    return {
      key,
      operator: set === "in" ? "In" : "NotIn",
      values: list.split(",").map((item) => item.trim()),
    };
  return { key, operator: "Exists", values: [] };
}

function selectorOf(requirements: readonly LabelRequirement[]): LabelSelector {
  requirements.forEach(validate);
  return {
    requirements,
    matches: (labels = {}) => requirements.every((requirement) => satisfies(labels, requirement)),
  };
}

function satisfies(labels: Readonly<Record<string, string>>, { key, operator, values }: LabelRequirement): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

function validate({ key, operator, values }: LabelRequirement): void {
  const slash = key.indexOf("/");
  if (!NAME.test(key.slice(slash + 1)) || (slash >= 0 && !PREFIX.test(key.slice(0, slash)))) throw invalid(`"${key}" is not a valid label key`);

  const takesValues = operator === "In" || operator === "NotIn";
  if (takesValues !== values.length > 0) throw invalid(`${operator} on "${key}" ${takesValues ? "needs at least one value" : "takes no values"}`);

  const bad = values.find((value) => value !== "" && !NAME.test(value));
  if (bad !== undefined) throw invalid(`"${bad}" is not a valid value for label "${key}"`);
}

function isOperator(operator: string): operator is LabelOperator {
  return ["In", "NotIn", "Exists", "DoesNotExist"].includes(operator);
}

function invalid(why: string): ApiError {
  return new ApiError("BadRequest", `invalid label selector: ${why}`);
}
