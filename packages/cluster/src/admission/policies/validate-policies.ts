import { BOOL, CelError, STRING } from "@sluice/cel";
import { jsonEqual, type Cause, type MatchResources, type ParamKind, type ParamRef, type UnknownObject } from "@sluice/kubernetes";
import type { ExpressionOptions } from "../expressions.ts";
import {
  duplicate,
  isQualifiedName,
  notSupported,
  QUALIFIED_RULE,
  required,
  validateConditions,
  validateExpression,
  validateRule,
  validateSelector,
  wrong,
} from "../validate-match.ts";
import { ANNOTATION_TYPES, compileVariables, type Binding, type Policy } from "./compiled-policy.ts";

const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/u;
const RESERVED: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
const GROUP_VERSION = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[a-z](?:[-a-z0-9]*[a-z0-9])?$/u;
const KIND = /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/u;
const REASONS: readonly string[] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const MAX_ANNOTATIONS = 20;
const MAX_ANNOTATION_EXPRESSION = 5 * 1024;

/** What is wrong with a policy, as the successor of `current` if there is one. */
export function validatePolicy(next: UnknownObject, current: UnknownObject | undefined): Cause[] {
  const policy = next as Policy;
  const { paramKind, matchConstraints, matchConditions = [], validations = [], auditAnnotations = [] } = policy.spec;
  const hasParams = paramKind !== undefined;
  const before = (current as Policy | undefined)?.spec;
  // What was acceptable once stays so while nobody touches it.
  const isKept = before !== undefined && jsonEqual(before.paramKind, paramKind) && jsonEqual(before.matchConditions, policy.spec.matchConditions);
  const isEmpty = validations.length === 0 && auditAnnotations.length === 0;
  const needed = "validations or auditAnnotations must contain at least one item";
  const options: ExpressionOptions = { hasParams, variables: compileVariables(policy).type };
  return [
    ...(paramKind === undefined ? [] : validateParamKind(paramKind)),
    ...(matchConstraints === undefined
      ? [required("spec.matchConstraints")]
      : [
          ...validateMatch(matchConstraints, "spec.matchConstraints"),
          ...((matchConstraints.resourceRules ?? []).length === 0 ? [required("spec.matchConstraints.resourceRules")] : []),
        ]),
    ...(isKept ? [] : validateConditions(matchConditions, "spec.matchConditions", { hasParams })),
    ...validateVariables(policy),
    ...(isEmpty ? [required("spec.validations", needed), required("spec.auditAnnotations", needed)] : []),
    ...validations.flatMap((one, i) => validateValidation(one, `spec.validations[${i}]`, options)),
    ...validateAnnotations(policy, options),
  ];
}

function validateVariables(policy: Policy): Cause[] {
  const { variables = [] } = policy.spec;
  const { variables: compiled } = compileVariables(policy);
  return variables.flatMap(({ name, expression }, i): Cause[] => {
    const at = `spec.variables[${i}]`;
    const program = compiled[i]?.program;
    return [
      ...(name.trim() === "" ? [required(`${at}.name`, "name is not specified")] : []),
      ...(name.trim() === "" || (IDENTIFIER.test(name) && !RESERVED.has(name)) ? [] : [wrong(`${at}.name`, name, "must be a valid CEL identifier")]),
      ...(expression.trim() === ""
        ? [required(`${at}.expression`, "expression is not specified")]
        : program instanceof CelError
          ? [wrong(`${at}.expression`, expression, program.message)]
          : []),
    ];
  });
}

function validateValidation(
  { expression, message = "", messageExpression = "", reason }: NonNullable<Policy["spec"]["validations"]>[number],
  at: string,
  options: ExpressionOptions,
): Cause[] {
  const causes: Cause[] =
    expression.trim() === ""
      ? [required(`${at}.expression`, "expression is not specified")]
      : validateExpression(expression, `${at}.expression`, [BOOL], options);
  if (messageExpression !== "") {
    causes.push(
      ...(messageExpression.trim() === ""
        ? [wrong(`${at}.messageExpression`, messageExpression, "must be non-empty if specified")]
        : validateExpression(messageExpression, `${at}.messageExpression`, [STRING], { ...options, hasAuthorizer: false })),
    );
  }
  if (message !== "" && message.trim() === "") causes.push(wrong(`${at}.message`, message, "must be non-empty if specified"));
  else if (/[\n\r]/u.test(message.trim())) causes.push(wrong(`${at}.message`, message, "must not contain line breaks"));
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(notSupported(`${at}.reason`, reason, REASONS));
  return causes;
}

function validateAnnotations({ metadata: { name }, spec: { auditAnnotations = [] } }: Policy, options: ExpressionOptions): Cause[] {
  const keys = new Set<string>();
  const causes: Cause[] =
    auditAnnotations.length > MAX_ANNOTATIONS
      ? [wrong("spec.auditAnnotations", auditAnnotations, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`)]
      : [];
  for (const [i, { key, valueExpression }] of auditAnnotations.entries()) {
    const at = `spec.auditAnnotations[${i}]`;
    if (!isQualifiedName(`${name}/${key}`)) causes.push(wrong(`${at}.key`, `${name}/${key}`, QUALIFIED_RULE));
    const expression = valueExpression.trim();
    if (expression === "") causes.push(required(`${at}.valueExpression`, "valueExpression is not specified"));
    else if (expression.length > MAX_ANNOTATION_EXPRESSION)
      causes.push(required(`${at}.valueExpression`, `must not exceed ${MAX_ANNOTATION_EXPRESSION} bytes in length`));
    else causes.push(...validateExpression(expression, `${at}.valueExpression`, ANNOTATION_TYPES, options));
    if (keys.has(key)) causes.push(duplicate(`${at}.key`, key));
    keys.add(key);
  }
  return causes;
}

function validateParamKind({ apiVersion = "", kind = "" }: ParamKind): Cause[] {
  return [
    ...(apiVersion === "" ? [required("spec.paramKind.apiVersion")] : []),
    ...(apiVersion === "" || GROUP_VERSION.test(apiVersion)
      ? []
      : [wrong("spec.paramKind.apiVersion", apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]),
    ...(kind === "" ? [required("spec.paramKind.kind")] : []),
    ...(kind === "" || KIND.test(kind.toLowerCase())
      ? []
      : [wrong("spec.paramKind.kind", kind, "may have mixed case, but should otherwise match: a DNS-1035 label")]),
  ];
}

function validateMatch({ resourceRules = [], excludeResourceRules = [], namespaceSelector, objectSelector }: MatchResources, at: string): Cause[] {
  const rules = (list: NonNullable<MatchResources["resourceRules"]>, field: string): Cause[] =>
    list.flatMap((rule, i) => [
      ...(rule.resourceNames ?? []).flatMap((name, j, names) =>
        names.indexOf(name) < j ? [duplicate(`${field}[${i}].resourceNames[${j}]`, name)] : [],
      ),
      ...validateRule(rule, `${field}[${i}]`),
    ]);
  return [
    ...validateSelector(namespaceSelector, `${at}.namespaceSelector`),
    ...validateSelector(objectSelector, `${at}.objectSelector`),
    ...rules(resourceRules, `${at}.resourceRules`),
    ...rules(excludeResourceRules, `${at}.excludeResourceRules`),
  ];
}

/** What is wrong with a binding. */
export function validatePolicyBinding(next: UnknownObject): Cause[] {
  const { policyName = "", paramRef, matchResources, validationActions = [] } = (next as Binding).spec;
  const actions = "spec.validationActions";
  return [
    ...(policyName === "" ? [required("spec.policyName")] : []),
    ...(paramRef === undefined ? [] : validateParamRef(paramRef)),
    ...(matchResources === undefined ? [] : validateMatch(matchResources, "spec.matchResources")),
    ...validationActions.flatMap((action, i) => (validationActions.indexOf(action) < i ? [duplicate(`${actions}[${i}]`, action)] : [])),
    ...(validationActions.includes("Deny") && validationActions.includes("Warn")
      ? [
          wrong(
            actions,
            validationActions,
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
          ),
        ]
      : []),
    ...(validationActions.length === 0 ? [required(actions, "at least one validation action is required")] : []),
  ];
}

function validateParamRef({ name = "", selector, parameterNotFoundAction = "" }: ParamRef): Cause[] {
  const at = "spec.paramRef";
  const both = name !== "" && selector !== undefined;
  const exclusive = (field: string): Cause => ({
    reason: "FieldValueForbidden",
    field: `${at}.${field}`,
    message: "Forbidden: name and selector are mutually exclusive",
  });
  return [
    ...(both ? [exclusive("name"), exclusive("selector")] : []),
    ...(name === "" && selector === undefined ? [required(at, "one of name or selector must be specified")] : []),
    ...validateSelector(selector, `${at}.selector`),
    ...(parameterNotFoundAction === "" ? [required(`${at}.parameterNotFoundAction`)] : []),
    ...(parameterNotFoundAction === "" || parameterNotFoundAction === "Deny" || parameterNotFoundAction === "Allow"
      ? []
      : [notSupported(`${at}.parameterNotFoundAction`, parameterNotFoundAction, ["Deny", "Allow"])]),
  ];
}
