import { UserError } from "@sluice/kubernetes";
import { listOf } from "./accepts.ts";
import { homeOf, pathOf, type Reference, type Scope, type TaskNode } from "./graph.ts";
import type { Names } from "./names.ts";
import type { PortType } from "./types.ts";

/** A part of the compiled document. */
export type Tree = { [key: string]: unknown };

/** One task's output, as its graph's outputs name it. */
export interface Selector {
  readonly producer: string;
  readonly key: string;
}

/** What crosses the edge of one block, and what the block waits for. */
export interface Edge {
  /** An item of a loop has no wiring: the loop itself gives it. */
  readonly inputs: Map<string, { readonly type: PortType; readonly wiring: Tree | undefined }>;
  /** Several selectors: whichever branch ran. */
  readonly outputs: Map<string, { readonly type: PortType; readonly selectors: readonly Selector[] }>;
  readonly dependencies: Set<string>;
}

/** Leads values from where they are made to where they are used, through the edges of all blocks between. */
export class Wiring {
  readonly #names: Names;
  readonly #edges = new Map<Scope, Edge>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** What crosses a block's edge so far. */
  edge(scope: Scope): Edge {
    const edge = this.#edges.get(scope) ?? { inputs: new Map(), outputs: new Map(), dependencies: new Set() };
    this.#edges.set(scope, edge);
    return edge;
  }

  /** The source of a task's input in `scope`; `dependencies` gets the sibling that makes it, if one does. */
  source(reference: Reference, scope: Scope, dependencies: Set<string>): Tree {
    const { source, type, field } = reference;
    const selector = field === undefined ? {} : { parameterExpressionSelector: `parseJson(string_value)[${JSON.stringify(field)}]` };
    const fromInput = (key: string): Tree =>
      type.kind === "artifact" ? { componentInputArtifact: key } : { componentInputParameter: key, ...selector };
    const home = homeOf(source);
    this.#names.of(home); // Refuses what another pipeline made.
    if (home === scope && source.kind === "input") return fromInput(source.key);
    if (home === scope && source.kind === "item") return fromInput(this.#names.item(scope));
    if (pathOf(home).includes(scope)) {
      if (source.kind === "item") throw new UserError(`${this.#names.channel(reference)} is used outside the loop it belongs to`);
      const { producer, key } = this.surface(reference, scope);
      dependencies.add(producer);
      return type.kind === "artifact"
        ? { taskOutputArtifact: { producerTask: producer, outputArtifactKey: key } }
        : { taskOutputParameter: { producerTask: producer, outputParameterKey: key }, ...selector };
    }
    return fromInput(this.input(withoutField(reference), scope));
  }

  /** Has `node` wait for `other`, or the blocks that hold the one for those that hold the other; `dependencies` are the task's own. */
  waitFor(other: TaskNode, node: TaskNode, dependencies: Set<string>): void {
    this.#names.of(other); // Refuses what another pipeline made.
    const [from, to] = [pathOf(other.scope), pathOf(node.scope)];
    const common = from.findLastIndex((scope, i) => scope === to[i]);
    const [left, entered] = [from.slice(common + 1), to[common + 1]];
    if (left.some(({ kind }) => kind !== "exit") || (entered !== undefined && entered === other.exitOf))
      throw new UserError(`${this.#names.of(node)}: \`after\` names ${this.#names.of(other)}, which is in another block`, {
        fix: "name a task of the same block, of one around it, or of an onExit() block",
      });
    (entered === undefined ? dependencies : this.edge(entered).dependencies).add(this.#names.of(left[0] ?? other));
  }

  /** The name of the block's input that carries a value from outside. */
  input(reference: Reference, scope: Scope): string {
    if (scope.parent === undefined) throw new Error("all values are made inside the pipeline");
    const { inputs, dependencies } = this.edge(scope);
    const name = this.#names.channel(reference);
    if (!inputs.has(name)) inputs.set(name, { type: reference.type, wiring: this.source(reference, scope.parent, dependencies) });
    return name;
  }

  /** Where a value made in or below `scope` is to be had there: it becomes an output of every block it leaves. */
  surface(reference: Reference, scope: Scope): Selector {
    const { source, collected } = reference;
    const crossed = pathOf(homeOf(source)).slice(pathOf(scope).length).toReversed();
    if (collected && !crossed.some(({ kind }) => kind === "loop"))
      throw new UserError(`${this.#names.channel(reference)} is collected inside its own loop`, { fix: "use it outside the forEach()" });
    let { producer, key, type } = this.#made(reference);
    const name = this.#names.channel({ source, collected: false });
    for (const block of crossed) {
      // oneOf() asks for a value inside `branches`, just outside its own branch.
      const isLeft = scope.kind === "branches" && block.parent === scope;
      if (block.kind === "branches" || (block.kind === "condition" && !isLeft))
        throw new UserError(`${producer}: its output "${key}" is used outside the condition it is in`, {
          fix: "move the task that uses it into the same block, or join the branches' values with oneOf()",
        });
      if (block.kind === "loop") {
        if (!collected)
          throw new UserError(`${producer}: its output "${key}" is used outside the loop it is in`, { fix: "wrap the reference in collect()" });
        type = listOf(type);
      }
      this.edge(block).outputs.set(name, { type, selectors: [{ producer, key }] });
      [producer, key] = [this.#names.of(block), name];
    }
    return { producer, key };
  }

  /** The node that makes a value, and the value as it is there. */
  #made({ source, type }: Reference): Selector & { type: PortType } {
    if (source.kind === "task") {
      const { task, key } = source;
      return { producer: this.#names.of(task), key, type: task.definition.outputs[key] ?? type };
    }
    if (source.kind !== "oneOf") throw new Error(`a ${source.kind} is made by no task`);
    const { branches, choices } = source;
    const key = this.#names.channel({ source, collected: false });
    const [{ type: made } = { type }] = choices;
    this.edge(branches).outputs.set(key, { type: made, selectors: choices.map((choice) => this.surface(choice, branches)) });
    return { producer: this.#names.of(branches), key, type: made };
  }
}

/** The whole value: a field is selected where it is used. */
function withoutField({ field, ...whole }: Reference): Reference {
  return field === undefined ? whole : { ...whole, type: { kind: "parameter", parameterType: "STRUCT", optional: false } };
}

/** The tasks and blocks of a block, and of those within, outermost first. */
export function* nodesOf(scope: Scope): Generator<TaskNode | Scope> {
  for (const node of scope.nodes) {
    yield node;
    if (node.kind !== "task") yield* nodesOf(node);
  }
}
