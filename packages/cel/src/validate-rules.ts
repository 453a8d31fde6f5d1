import { isJsonObject, type Cause, type Schema } from "@sluice/kubernetes";
import type { CelBudget } from "./budget.ts";
import { Correlation, OldItems } from "./correlation.ts";
import { CelError } from "./errors.ts";
import type { CompiledRule, RuleNode, ValidationRule } from "./rules.ts";

/** How long the text may be that an expression makes. */
const MAX_MESSAGE = 5 * 1024;
const OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run";

/** What the rules find wrong with a value, which replaces `old` if there is one; worded as Kubernetes words it. */
export function validateRules(rules: RuleNode, value: unknown, old: unknown, budget: CelBudget): Cause[] {
  const validation = new Validation(budget);
  const current = old === undefined ? undefined : new Correlation(rules.schema, value, old);
  validation.node(rules, "", value, old, { current, parent: undefined });
  return validation.causes;
}

/** What belongs to the value before the update: to this one, or to the nearest one around that has such. */
interface Ratchet {
  readonly current: Correlation | undefined;
  readonly parent: Correlation | undefined;
}

/** A value that has not changed is not refused for what is wrong with it. */
function isUnchanged({ current, parent }: Ratchet): boolean {
  return (current ?? parent)?.isSame ?? false;
}

class Validation {
  readonly causes: Cause[] = [];
  readonly #budget: CelBudget;
  #isStopped = false;

  constructor(budget: CelBudget) {
    this.#budget = budget;
  }

  node(node: RuleNode, path: string, value: unknown, old: unknown, ratchet: Ratchet): void {
    if (this.#isStopped || value === null || value === undefined) return;
    for (const rule of node.rules) {
      if (this.#isStopped) return;
      this.#rule(rule, node.schema, path, value, old ?? undefined, ratchet);
    }
    // As upstream, which does not ratchet what stands in an allOf by its own value.
    for (const branch of node.allOf) this.node(branch, path, value, old, { current: undefined, parent: ratchet.parent });
    if (Array.isArray(value)) this.#items(node, path, value, old, ratchet);
    else if (isJsonObject(value)) this.#members(node, path, value, isJsonObject(old) ? old : {}, ratchet);
  }

  #members(node: RuleNode, path: string, value: Readonly<Record<string, unknown>>, old: Readonly<Record<string, unknown>>, ratchet: Ratchet): void {
    const oldOf = (name: string): unknown => (Object.hasOwn(old, name) ? old[name] : undefined);
    if (node.additionalProperties !== undefined) {
      for (const name of Object.keys(value)) {
        this.node(node.additionalProperties, `${path}[${name}]`, value[name], oldOf(name), below(ratchet, name));
      }
    }
    for (const [name, child] of node.properties) {
      if (Object.hasOwn(value, name)) this.node(child, childPath(path, name), value[name], oldOf(name), below(ratchet, name));
    }
  }

  #items(node: RuleNode, path: string, value: readonly unknown[], old: unknown, ratchet: Ratchet): void {
    if (node.items === undefined) return;
    const olds = new OldItems(node.schema, old);
    for (const [i, item] of value.entries()) {
      if (this.#isStopped) return;
      const { current } = ratchet;
      const next = current === undefined ? ratchet : { current: current.item(i), parent: current };
      this.node(node.items, `${path}[${i}]`, item, olds.find(item), next);
    }
  }

  #rule(compiled: CompiledRule, schema: Schema, path: string, value: unknown, old: unknown, ratchet: Ratchet): void {
    const { rule, program, error } = compiled;
    const refuse = (text: string): void => this.#add(invalid(path, schema.type ?? "", text));
    if (error !== undefined) return refuse(`rule compile error: ${error}`);
    if (program === undefined) return;
    if (this.#budget.isSpent) return this.#stop(path, schema, OUT_OF_BUDGET);
    if (compiled.usesOldSelf && old === undefined && rule.optionalOldSelf !== true) return;
    const bindings = { self: value, oldSelf: old };
    try {
      if (program.evaluate(bindings, this.#budget) === true) return;
    } catch (failure) {
      if (!(failure instanceof CelError)) throw failure;
      return this.#failed(failure, rule, schema, path);
    }
    if (!compiled.usesOldSelf && isUnchanged(ratchet)) return;
    const place =
      compiled.fieldPath === undefined ? path : `${path}${path === "" || compiled.fieldPath.startsWith("[") ? "" : "."}${compiled.fieldPath}`;
    const message = this.#message(compiled, bindings);
    if (message.stop !== undefined) return this.#stop(place, schema, message.stop);
    this.#add(causeOf(rule, place, schema, value, message.text ?? textOf(rule)));
  }

  #failed(failure: CelError, rule: ValidationRule, schema: Schema, path: string): void {
    const { message } = failure;
    const source = nameOf(rule);
    if (failure.kind === "cost") {
      const isCall = message.startsWith("operation cancelled");
      const text = isCall ? `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${source}` : message;
      return this.#stop(path, schema, text);
    }
    const text = message.startsWith("no such overload")
      ? `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${source}`
      : `${message} evaluating rule: ${source}`;
    this.#add(invalid(path, schema.type ?? "", text));
  }

  /** The text that the rule's own expression makes, unless that fails; or why nothing more may be run. */
  #message({ message, rule }: CompiledRule, bindings: Readonly<Record<string, unknown>>): { readonly text?: string; readonly stop?: string } {
    if (message === undefined) return {};
    try {
      const text = message.evaluate(bindings, this.#budget);
      const trimmed = typeof text === "string" ? text.trim() : "";
      return trimmed === "" || trimmed.length > MAX_MESSAGE || trimmed.includes("\n") ? {} : { text: trimmed };
    } catch (failure) {
      if (!(failure instanceof CelError)) throw failure;
      if (failure.kind !== "cost") return {}; // As upstream: the rule's plain message does instead.
      return {
        stop: failure.message.startsWith("operation cancelled")
          ? `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`
          : "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run",
      };
    }
  }

  #stop(path: string, schema: Schema, text: string): void {
    this.#isStopped = true;
    this.#add(invalid(path, schema.type ?? "", text));
  }

  #add(cause: Cause): void {
    this.causes.push(cause);
  }
}

function below(ratchet: Ratchet, name: string): Ratchet {
  const { current, parent } = ratchet;
  if (current === undefined) return ratchet;
  // Both sides are shown in the version of the request, so that a change of version cannot be told.
  if (parent === undefined && (name === "apiVersion" || name === "kind")) return { current: undefined, parent: undefined };
  return { current: current.member(name), parent: current };
}

function childPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function invalid(field: string, value: unknown, text: string): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${text}` };
}

/** Objects and lists are not written out. */
function causeOf(rule: ValidationRule, field: string, schema: Schema, value: unknown, text: string): Cause {
  const shown = schema.type === "object" || schema.type === "array" ? "" : `: ${JSON.stringify(value)}`;
  if (rule.reason === "FieldValueForbidden") return { reason: "FieldValueForbidden", field, message: `Forbidden: ${text}` };
  if (rule.reason === "FieldValueRequired") return { reason: "FieldValueRequired", field, message: `Required value: ${text}` };
  if (rule.reason === "FieldValueDuplicate") return { reason: "FieldValueDuplicate", field, message: `Duplicate value${shown}` };
  return { reason: "FieldValueInvalid", field, message: `Invalid value${shown}: ${text}` };
}

function textOf(rule: ValidationRule): string {
  return rule.message === undefined || rule.message === "" ? `failed rule: ${nameOf(rule)}` : rule.message.trim();
}

function nameOf(rule: ValidationRule): string {
  return (rule.message === undefined || rule.message === "" ? rule.rule : rule.message).trim();
}
