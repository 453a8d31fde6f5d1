import { UserError } from "@sluice/kubernetes";
import { isReference, type Reference, type Scope, type Source, type TaskNode } from "./graph.ts";

const PREFIXES: Readonly<Record<Scope["kind"], string>> = {
  root: "root",
  condition: "condition",
  branches: "condition-branches",
  loop: "for-loop",
  exit: "exit-handler",
};

/** The names in one compiled pipeline: each is given once, in the order of the graph, in the way of the Python SDK. */
export class Names {
  readonly #taken = new Map<string, number>();
  /** The names of components, which all graphs of a document share; blocks are components too, and are called as their tasks are. */
  readonly #labels: Map<string, number>;
  readonly #blocks = new Map<Scope, string>();
  readonly #nodes = new Map<TaskNode | Scope, string>();
  readonly #channels = new Map<object, Map<string, string>>();

  constructor(root: Scope, labels: Map<string, number>) {
    this.#labels = labels;
    const counts = new Map<string, number>();
    const name = (node: TaskNode | Scope): void => {
      if (node.kind === "task") return void this.#nodes.set(node, unique(this.#taken, node.definition.name));
      const count = (counts.get(node.kind) ?? 0) + 1;
      counts.set(node.kind, count);
      const own = node.kind === "root" ? "root" : unique(this.#taken, `${PREFIXES[node.kind]}-${count}`);
      this.#nodes.set(node, own);
      if (node.kind !== "root") this.#blocks.set(node, unique(labels, own));
      node.nodes.forEach(name);
    };
    name(root);
  }

  /** The label of a component that is no block. */
  label(component: string): string {
    return unique(this.#labels, component);
  }

  /** The label of a block's component. */
  labelOf(block: Scope): string {
    const label = this.#blocks.get(block);
    if (label === undefined) throw new Error(`${this.of(block)} is no block`);
    return label;
  }

  /** A task's key in its graph, or a block's. */
  of(node: TaskNode | Scope): string {
    const name = this.#nodes.get(node);
    if (name === undefined) {
      const what = node.kind === "task" ? `task ${node.definition.name}` : "a reference";
      throw new UserError(`${what} belongs to another pipeline`, { fix: "use tasks and references only in the pipeline that made them" });
    }
    return name;
  }

  /** The name under which a value crosses the edges of blocks. */
  channel({ source, field, collected }: Pick<Reference, "source" | "field" | "collected">): string {
    const base = this.#base(source);
    const suffix = `${field === undefined ? "" : `-subvar-${field}`}${collected ? "-collected" : ""}`;
    return this.#once(source.kind === "item" ? source.loop : source, suffix, () => `${base}${suffix}`);
  }

  /** The name of a loop's item inside it. */
  item(loop: Scope): string {
    return this.channel({ source: { kind: "item", loop }, collected: false });
  }

  /** Different values never share a name, even where their proposed names are alike. */
  #once(owner: object, variant: string, propose: () => string): string {
    const names = this.#channels.get(owner) ?? new Map<string, string>();
    this.#channels.set(owner, names);
    const name = names.get(variant) ?? unique(this.#taken, propose());
    names.set(variant, name);
    return name;
  }

  #base(source: Source): string {
    switch (source.kind) {
      case "input":
        return `pipelinechannel--${source.key}`;
      case "task":
        return `pipelinechannel--${this.of(source.task)}-${source.key}`;
      case "oneOf":
        return `pipelinechannel--${this.of(source.branches)}-oneof-1`;
      case "item": {
        const { items } = source.loop;
        return isReference(items)
          ? `${this.channel(items)}-loop-item`
          : `pipelinechannel--loop-item-param-${this.of(source.loop).slice(PREFIXES.loop.length + 1)}`;
      }
    }
  }
}

/** The name itself, or with a number if it is taken. */
function unique(taken: Map<string, number>, base: string): string {
  const count = (taken.get(base) ?? 0) + 1;
  taken.set(base, count);
  return count === 1 ? base : unique(taken, `${base}-${count}`);
}
