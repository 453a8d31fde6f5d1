import { BOOL, CelError, type CelType } from "@sluice/cel";
import { isApiError, labelSelectorFrom, type Cause, type LabelSelectorSpec, type MatchCondition, type RuleWithOperations } from "@sluice/kubernetes";
import { compileExpression, type ExpressionOptions } from "./expressions.ts";

const OPERATIONS: readonly string[] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const MAX_CONDITIONS = 64;
const QUALIFIED_NAME = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;

/** Something is missing. */
export function required(field: string, why = ""): Cause {
  return { reason: "FieldValueRequired", field, message: why === "" ? "Required value" : `Required value: ${why}` };
}

/** Something is not as it must be. */
export function wrong(field: string, value: unknown, why: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

/** Something is none of what it may be. */
export function notSupported(field: string, value: string, supported: readonly string[]): Cause {
  const names = supported.map((one) => JSON.stringify(one)).join(", ");
  return { reason: "FieldValueNotSupported", field, message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${names}` };
}

/** Something is there twice. */
export function duplicate(field: string, value: unknown): Cause {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${JSON.stringify(value)}` };
}

/** What is wrong with the rules that select requests. */
export function validateRule(rule: RuleWithOperations, field: string): Cause[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [] } = rule;
  const alone = (name: string, items: readonly string[], others: string): Cause[] =>
    items.length > 1 && items.includes("*") ? [wrong(`${field}.${name}`, items, `if '*' is present, must not specify other ${others}`)] : [];
  return [
    ...(operations.length === 0 ? [required(`${field}.operations`)] : alone("operations", operations, "operations")),
    ...operations.flatMap((operation, i) =>
      OPERATIONS.includes(operation) ? [] : [notSupported(`${field}.operations[${i}]`, operation, OPERATIONS)],
    ),
    ...(apiGroups.length === 0 ? [required(`${field}.apiGroups`)] : alone("apiGroups", apiGroups, "API groups")),
    ...(apiVersions.length === 0 ? [required(`${field}.apiVersions`)] : alone("apiVersions", apiVersions, "API versions")),
    ...apiVersions.flatMap((version, i) => (version === "" ? [required(`${field}.apiVersions[${i}]`)] : [])),
    ...validateResources(resources, `${field}.resources`),
  ];
}

function validateResources(resources: readonly string[], field: string): Cause[] {
  if (resources.length === 0) return [required(field)];
  const causes: Cause[] = [];
  const wholes = new Set<string>();
  const parts = new Set<string>();
  for (const [i, resource] of resources.entries()) {
    const at = `${field}[${i}]`;
    const [plural, part] = splitOnce(resource);
    if (resource === "") causes.push(required(at));
    if (part === undefined) continue;
    if (wholes.has(plural)) causes.push(wrong(at, resource, `if '${plural}/*' is present, must not specify ${resource}`));
    if (parts.has(part)) causes.push(wrong(at, resource, `if '*/${part}' is present, must not specify ${resource}`));
    if (part === "*") wholes.add(plural);
    if (plural === "*") parts.add(part);
  }
  if (resources.length > 1 && resources.includes("*/*"))
    causes.push(wrong(field, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes("*") && resources.some((one) => one !== "*" && !one.includes("/"))) {
    causes.push(wrong(field, resources, "if '*' is present, must not specify other resources without subresources"));
  }
  return causes;
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const slash = text.indexOf("/");
  return slash < 0 ? [text, undefined] : [text.slice(0, slash), text.slice(slash + 1)];
}

/** What is wrong with a selector. */
export function validateSelector(selector: LabelSelectorSpec | undefined, field: string): Cause[] {
  try {
    labelSelectorFrom(selector ?? {});
    return [];
  } catch (error) {
    if (!isApiError(error)) throw error;
    return [wrong(field, selector, error.message.replace(/^invalid label selector: /u, ""))];
  }
}

/** What is wrong with match conditions; those that have been accepted before stay acceptable. */
export function validateConditions(conditions: readonly MatchCondition[], field: string, options: ExpressionOptions = {}): Cause[] {
  const causes: Cause[] =
    conditions.length > MAX_CONDITIONS
      ? [{ reason: "FieldValueTooMany", field, message: `Too many: ${conditions.length}: must have at most ${MAX_CONDITIONS} items` }]
      : [];
  const names = new Set<string>();
  for (const [i, { name, expression }] of conditions.entries()) {
    causes.push(...validateExpression(expression.trim(), `${field}[${i}].expression`, [BOOL], options));
    if (name === "") causes.push(required(`${field}[${i}].name`));
    else if (!QUALIFIED_NAME.test(name)) causes.push(wrong(`${field}[${i}].name`, name, QUALIFIED_RULE));
    else if (names.has(name)) causes.push(duplicate(`${field}[${i}].name`, name));
    names.add(name);
  }
  return causes;
}

/** Whether a text can be the key of a label or annotation. */
export function isQualifiedName(text: string): boolean {
  return QUALIFIED_NAME.test(text);
}

/** What a qualified name is. */
export const QUALIFIED_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/** What is wrong with an expression. */
export function validateExpression(expression: string, field: string, expected: readonly CelType[], options: ExpressionOptions = {}): Cause[] {
  if (expression.trim() === "") return [required(field)];
  try {
    compileExpression(expression, expected, options);
    return [];
  } catch (error) {
    if (error instanceof CelError) return [wrong(field, expression, error.message)];
    throw error;
  }
}
