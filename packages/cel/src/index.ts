/**
 * Kubernetes' expression language, safe against hostile expressions: a parser with limits, a type checker, and an evaluator
 * that pays for every step before it takes it. `celTypeOf` turns a schema into a type, `compileCel` an expression into a
 * program, and a `CelBudget` bounds what all programs of a request may cost.
 */
export * from "./types.ts";
export { CelError, type CelErrorKind } from "./errors.ts";
export { CALL_COST_LIMIT, CelBudget, REQUEST_COST_LIMIT } from "./budget.ts";
export { compileCel, type CelProgram, type CompileOptions } from "./program.ts";
export { celTypeOf, type SchemaTypeOptions } from "./schema-type.ts";
export {
  authorizerType,
  resourceCheckType,
  type CelAccessAttributes,
  type CelAccessDecision,
  type CelAuthorizer,
  type CelResourceCheck,
  type CelUser,
} from "./library/authorizer.ts";
export { rulesOf, type RuleNode } from "./rules.ts";
export { validateRules } from "./validate-rules.ts";
export { checkRules } from "./check-rules.ts";
