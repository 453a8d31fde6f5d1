import type { Cause, Schema } from "@sluice/kubernetes";
import { rulesOf, type CompiledRule, type RuleNode, type ValidationRule } from "./rules.ts";
import { parseFieldPath } from "./rule-field-path.ts";

/** What one rule of a definition may cost at most, for all values that it can meet in an object. */
const RULE_LIMIT = 10_000_000;
/** What all rules of a version may cost at most. */
const SCHEMA_LIMIT = 100_000_000;
/** What a request can hold at most, in bytes. */
const MAX_REQUEST = 3 * 1024 * 1024;
const REASONS = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const HINT = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

/** What is wrong with the rules of a definition's schema, worded as Kubernetes words it: what does not compile, and what may cost too much. */
export function checkRules(schema: Schema, path: string): Cause[] {
  const rules = rulesOf(schema);
  if (rules === undefined) return [];
  const check = new RuleCheck();
  check.node(rules, path, { count: 1, uncorrelatable: undefined });
  return [...check.causes, ...check.totals(path)];
}

interface Place {
  /** How many values of this schema an object can hold; undefined if nothing bounds it. */
  readonly count: number | undefined;
  /** The list around whose items before and after an update do not belong together. */
  readonly uncorrelatable: string | undefined;
}

class RuleCheck {
  readonly causes: Cause[] = [];
  readonly #costs: { readonly path: string; readonly cost: number }[] = [];

  node(node: RuleNode, path: string, place: Place): void {
    for (const [name, child] of node.properties) this.node(child, `${path}.properties[${name}]`, below(node.schema, place));
    if (node.additionalProperties !== undefined) this.node(node.additionalProperties, `${path}.additionalProperties`, below(node.schema, place));
    if (node.items !== undefined) {
      const isMap = node.schema["x-kubernetes-list-type"] === "map";
      const uncorrelatable = place.uncorrelatable ?? (isMap ? undefined : path);
      this.node(node.items, `${path}.items`, { ...below(node.schema, place), uncorrelatable });
    }
    for (const [i, branch] of node.allOf.entries()) this.node(branch, `${path}.allOf[${i}]`, place);
    for (const [i, compiled] of node.rules.entries()) this.#rule(compiled, node.schema, `${path}.x-kubernetes-validations[${i}]`, place);
  }

  /** Whether all rules together may cost too much, and which do the most. */
  totals(path: string): Cause[] {
    const total = this.#costs.reduce((sum, { cost }) => sum + cost, 0);
    if (total <= SCHEMA_LIMIT) return [];
    const most = this.#costs.filter(({ cost }) => cost >= SCHEMA_LIMIT / 100).toSorted((a, b) => b.cost - a.cost);
    const part = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
    return [
      ...most.slice(0, 4).map((one) => forbidden(one.path, part)),
      forbidden(path, exceeds("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", total, SCHEMA_LIMIT)),
    ];
  }

  #rule(compiled: CompiledRule, schema: Schema, path: string, place: Place): void {
    const { rule } = compiled;
    const before = this.causes.length;
    this.#shape(rule, schema, path);
    if (this.causes.length > before) return;
    const cost = compiled.maxCost * (place.count ?? Math.floor(MAX_REQUEST / (compiled.minSize + 1)));
    if (cost > RULE_LIMIT) this.causes.push(forbidden(`${path}.rule`, exceeds("estimated rule cost", cost, RULE_LIMIT)));
    this.#costs.push({ path: `${path}.rule`, cost });
    if (compiled.error !== undefined) this.causes.push(invalid(`${path}.rule`, shown(rule), compiled.error));
    if (compiled.messageError !== undefined) this.causes.push(invalid(`${path}.messageExpression`, shown(rule), compiled.messageError));
    else if (compiled.message !== undefined) {
      const messageCost = compiled.messageMaxCost;
      if (messageCost > RULE_LIMIT) {
        this.causes.push(forbidden(`${path}.messageExpression`, exceeds("estimated messageExpression cost", messageCost, RULE_LIMIT)));
      }
      this.#costs.push({ path: `${path}.messageExpression`, cost: messageCost });
    }
    if (compiled.usesOldSelf) {
      if (place.uncorrelatable === undefined) return;
      const text = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`;
      this.causes.push(invalid(`${path}.rule`, JSON.stringify(rule.rule), text));
    } else if (rule.optionalOldSelf !== undefined && compiled.program !== undefined) {
      this.causes.push(invalid(`${path}.optionalOldSelf`, String(rule.optionalOldSelf), "may not be set if oldSelf is not used in rule"));
    }
  }

  /** What can be seen without compiling. */
  #shape(rule: ValidationRule, schema: Schema, path: string): void {
    const { message, messageExpression, reason, fieldPath } = rule;
    const text = message?.trim() ?? "";
    const required = (field: string, why: string): void =>
      void this.causes.push({ reason: "FieldValueRequired", field: `${path}.${field}`, message: `Required value: ${why}` });
    const wrong = (field: string, value: string, why: string): void => void this.causes.push(invalid(`${path}.${field}`, JSON.stringify(value), why));
    if (rule.rule.trim() === "") required("rule", "rule is not specified");
    else if (message !== undefined && message !== "" && text === "") wrong("message", message, "must be non-empty if specified");
    else if (hasLineBreak(text)) wrong("message", message ?? "", "must not contain line breaks");
    else if (hasLineBreak(rule.rule.trim()) && text === "") required("message", "message must be specified if rule contains line breaks");
    if (messageExpression !== undefined && messageExpression !== "" && messageExpression.trim() === "") {
      required("messageExpression", "messageExpression must be non-empty if specified");
    }
    if (reason !== undefined && !REASONS.includes(reason)) {
      const supported = REASONS.map((one) => JSON.stringify(one)).join(", ");
      const problem = `Unsupported value: ${JSON.stringify(reason)}: supported values: ${supported}`;
      this.causes.push({ reason: "FieldValueNotSupported", field: `${path}.reason`, message: problem });
    }
    if (fieldPath === undefined || fieldPath === "") return;
    if (fieldPath.trim() === "") wrong("fieldPath", fieldPath, "must be non-empty if specified");
    if (hasLineBreak(fieldPath)) wrong("fieldPath", fieldPath, "must not contain line breaks");
    if (parseFieldPath(fieldPath, schema) === undefined) wrong("fieldPath", fieldPath, "must be a valid path");
  }
}

function below(schema: Schema, place: Place): Place {
  const most = schema.type === "array" ? schema.maxItems : isMap(schema) ? schema.maxProperties : 1;
  return { ...place, count: place.count === undefined || most === undefined ? undefined : place.count * Math.max(0, most) };
}

function isMap({ type, additionalProperties }: Schema): boolean {
  return type === "object" && additionalProperties !== undefined;
}

function hasLineBreak(text: string): boolean {
  return /[\n\r]/.test(text);
}

function exceeds(name: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shownFactor = factor > 100 ? "more than 100x" : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${name} exceeds budget by factor of ${shownFactor} ${HINT}`;
}

function forbidden(field: string, text: string): Cause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${text}` };
}

function invalid(field: string, value: string, text: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${value}: ${text}` };
}

/** The rule as upstream's errors show it. */
function shown({ rule, message, messageExpression, reason, fieldPath, optionalOldSelf }: ValidationRule): string {
  const text = JSON.stringify({
    Rule: rule,
    Message: message ?? "",
    MessageExpression: messageExpression ?? "",
    Reason: reason ?? null,
    FieldPath: fieldPath ?? "",
    OptionalOldSelf: optionalOldSelf ?? null,
  });
  return text.replaceAll(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}
