import { UserError } from "@sluice/kubernetes";
import { mismatch } from "./accepts.ts";
import { currentScope, type ComponentDefinition, type Reference, type References, type Task, type TaskNode, type Text } from "./graph.ts";
import { checkTaskOptions, type TaskOptions } from "./task-options.ts";
import type { JsonValue, Ports } from "./types.ts";

/** Adds a call of a component to the block being built. */
export function addTask<O extends Ports>(
  definition: ComponentDefinition,
  outputs: O,
  given: Readonly<Record<string, unknown>>,
  options: TaskOptions,
): Task<O> {
  const scope = currentScope(`${definition.name}()`);
  const args = new Map<string, Reference | Text | JsonValue>();
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const type = definition.inputs[key];
    if (type === undefined)
      throw new UserError(`${definition.name} has no input "${key}"`, {
        fix: `its inputs are: ${Object.keys(definition.inputs).join(", ") || "none"}`,
      });
    const problem = mismatch(type, value);
    if (problem !== undefined) throw new UserError(`${definition.name}: input "${key}" ${problem}`);
    args.set(key, value as Reference | Text | JsonValue);
  }
  for (const [key, type] of Object.entries(definition.inputs)) {
    if (!args.has(key) && !type.optional) throw new UserError(`${definition.name}: input "${key}" is missing`);
  }
  checkTaskOptions(definition, args, options);
  const node: TaskNode = { kind: "task", definition, args, options, scope, exitOf: undefined };
  scope.nodes.push(node);
  const references: Record<string, Reference> = {};
  for (const [key, type] of Object.entries(outputs))
    references[key] = {
      kind: "reference",
      type,
      source: { kind: "task", task: node, key },
      collected: false,
    };
  return { outputs: references as References<O>, node };
}
