import type { Schema } from "@sluice/kubernetes";
import { CelError } from "./errors.ts";
import { estimateCost } from "./estimate.ts";
import { escapeName } from "./names.ts";
import { checkCel, programOf, type CelProgram } from "./program.ts";
import { parseFieldPath } from "./rule-field-path.ts";
import { celTypeOf, minSizeOf } from "./schema-type.ts";
import type { CelType } from "./types.ts";

/** One entry of `x-kubernetes-validations`. */
export type ValidationRule = NonNullable<Schema["x-kubernetes-validations"]>[number];

/** A rule that compiles, or why it does not. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program: CelProgram | undefined;
  readonly error: string | undefined;
  /** What the rule costs at most for one value. */
  readonly maxCost: number;
  /** The fewest bytes that such a value takes. */
  readonly minSize: number;
  /** Such a rule is for updates. */
  readonly usesOldSelf: boolean;
  readonly message: CelProgram | undefined;
  readonly messageError: string | undefined;
  readonly messageMaxCost: number;
  /** Where in the value the rule finds fault, such as `.spec.replicas`. */
  readonly fieldPath: string | undefined;
}

/** The rules of a schema and of what lies in it; parts without rules are left out. */
export interface RuleNode {
  readonly schema: Schema;
  /** Compiled when they are asked for. */
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additionalProperties: RuleNode | undefined;
  readonly items: RuleNode | undefined;
  readonly allOf: readonly RuleNode[];
}

/** Deeper schemas are no schemas that anybody wrote. */
const MAX_DEPTH = 256;

/** The rules of a custom kind's schema, or undefined if it has none. */
export function rulesOf(schema: Schema): RuleNode | undefined {
  if (!hasRules(schema, 0)) return undefined;
  const type = celTypeOf(schema, undefined, { isResourceRoot: true, name: "selfType" });
  return type === undefined ? undefined : nodeOf(schema, schema, type, 0);
}

function hasRules(schema: Schema, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  if ((schema["x-kubernetes-validations"] ?? []).length > 0) return true;
  return childrenOf(schema).some((child) => hasRules(child, depth + 1));
}

function childrenOf({ properties, additionalProperties, items, allOf }: Schema): readonly Schema[] {
  return [
    ...Object.values(properties ?? {}),
    ...(typeof additionalProperties === "object" ? [additionalProperties] : []),
    ...(items === undefined ? [] : [items]),
    ...(allOf ?? []),
  ];
}

/** What stands in an `allOf` has rules of its own, but the structure is that of `schema`. */
function nodeOf(withRules: Schema, schema: Schema, type: CelType, depth: number): RuleNode | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const properties = new Map<string, RuleNode>();
  for (const [name, child] of Object.entries(withRules.properties ?? {})) {
    const structure = schema.properties?.[name];
    const childType = structure === undefined ? undefined : typeOfProperty(type, name, structure);
    const node = structure === undefined || childType === undefined ? undefined : nodeOf(child, structure, childType, depth + 1);
    if (node !== undefined) properties.set(name, node);
  }
  const { additionalProperties, items } = schema;
  const valueNode =
    typeof withRules.additionalProperties === "object" && typeof additionalProperties === "object" && type.kind === "map"
      ? nodeOf(withRules.additionalProperties, additionalProperties, type.value, depth + 1)
      : undefined;
  const itemNode =
    withRules.items !== undefined && items !== undefined && type.kind === "list" ? nodeOf(withRules.items, items, type.items, depth + 1) : undefined;
  const allOf = (withRules.allOf ?? []).flatMap((branch) => nodeOf(branch, schema, type, depth + 1) ?? []);
  const sources = withRules["x-kubernetes-validations"] ?? [];
  const isEmpty = sources.length === 0 && properties.size === 0 && valueNode === undefined && itemNode === undefined && allOf.length === 0;
  return isEmpty ? undefined : new LazyRuleNode(sources, schema, type, { properties, additionalProperties: valueNode, items: itemNode, allOf });
}

function typeOfProperty(type: CelType, name: string, schema: Schema): CelType | undefined {
  const field = escapeName(name);
  // What no expression can name may still have rules of its own.
  if (field === undefined) return celTypeOf(schema, undefined, { isResourceRoot: schema["x-kubernetes-embedded-resource"] === true });
  return type.kind === "object" ? type.fields.get(field)?.type : undefined;
}

class LazyRuleNode implements RuleNode {
  readonly schema: Schema;
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additionalProperties: RuleNode | undefined;
  readonly items: RuleNode | undefined;
  readonly allOf: readonly RuleNode[];
  readonly #sources: readonly ValidationRule[];
  readonly #type: CelType;
  #rules: readonly CompiledRule[] | undefined;

  constructor(sources: readonly ValidationRule[], schema: Schema, type: CelType, below: Omit<RuleNode, "schema" | "rules">) {
    this.schema = schema;
    this.properties = below.properties;
    this.additionalProperties = below.additionalProperties;
    this.items = below.items;
    this.allOf = below.allOf;
    this.#sources = sources;
    this.#type = type;
  }

  get rules(): readonly CompiledRule[] {
    return (this.#rules ??= this.#sources.map((rule) => compileRule(rule, this.#type, this.schema)));
  }
}

function compileRule(rule: ValidationRule, type: CelType, schema: Schema): CompiledRule {
  const variables = { self: type, oldSelf: rule.optionalOldSelf === true ? ({ kind: "optional", of: type } as const) : type };
  const compiled = compile(rule.rule, variables, "bool", { failed: "compilation failed: ", type: "cel expression must evaluate to a bool" });
  // As upstream: the message of a rule that does not compile is not looked at.
  const message =
    rule.messageExpression === undefined || rule.messageExpression === "" || compiled.error !== undefined
      ? NOTHING
      : compile(rule.messageExpression, variables, "string", {
          failed: "messageExpression compilation failed: ",
          type: "messageExpression must evaluate to a string",
        });
  return {
    rule,
    program: compiled.program,
    error: compiled.error,
    maxCost: compiled.maxCost,
    minSize: minSizeOf(schema),
    usesOldSelf: compiled.program?.references.has("oldSelf") ?? false,
    message: message.program,
    messageError: message.error,
    messageMaxCost: message.maxCost,
    fieldPath: rule.fieldPath === undefined || rule.fieldPath === "" ? undefined : parseFieldPath(rule.fieldPath, schema),
  };
}

interface Compiled {
  readonly program: CelProgram | undefined;
  readonly error: string | undefined;
  readonly maxCost: number;
}

const NOTHING: Compiled = { program: undefined, error: undefined, maxCost: 0 };

function compile(
  source: string,
  variables: { readonly self: CelType; readonly oldSelf: CelType },
  expected: CelType["kind"],
  problems: { readonly failed: string; readonly type: string },
): Compiled {
  if (source.trim() === "") return NOTHING;
  try {
    const checked = checkCel(source, { variables });
    if (checked.checked.type.kind !== expected) return { ...NOTHING, error: problems.type };
    const program = programOf(source, checked, { variables });
    return { program, error: undefined, maxCost: estimateCost(checked.expression, checked.checked, variables.self) };
  } catch (error) {
    if (error instanceof CelError) return { ...NOTHING, error: `${problems.failed}${error.message}` };
    throw error;
  }
}
