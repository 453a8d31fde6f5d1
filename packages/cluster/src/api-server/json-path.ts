type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "all" }
  | { readonly kind: "filter"; readonly path: readonly Step[]; readonly operator: "==" | "!=" | undefined; readonly value: string };

const TOKEN =
  /\.\.?(?<field>(?:[^.[\]\\]|\\.)+)|\[(?<index>-?\d+)\]|\[(?<all>\*)\]|\['(?<quoted>[^']*)'\]|\[\?\(@(?<path>[^=!)]+?)\s*(?:(?<operator>==|!=)\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<bare>[^)\s]+)))?\s*\)\]/y;

const compiled = new Map<string, readonly Step[]>();

/** The values that a path such as `.status.conditions[?(@.type=="Ready")].status` finds: the part of kubectl's JSONPath that columns use. */
export function readJsonPath(path: string, root: unknown): unknown[] {
  let steps = compiled.get(path);
  if (steps === undefined) compiled.set(path, (steps = parse(path)));
  return follow(steps, [root]);
}

function parse(path: string): Step[] {
  const text = path.replace(/^\{(.*)\}$/, "$1");
  const source = text.startsWith(".") || text.startsWith("[") ? text : `.${text}`;
  const steps: Step[] = [];
  for (let position = 0; position < source.length;) {
    TOKEN.lastIndex = position;
    const groups = TOKEN.exec(source)?.groups;
    // A path that cannot be read finds nothing; its column stays empty.
    if (groups === undefined) return [{ kind: "index", index: Number.NaN }];
    // Read before a filter's own path is parsed, which moves it.
    position = TOKEN.lastIndex;
    const { field, index, all, quoted, path: inner, operator, double, single, bare } = groups;
    if (field === "*" || all !== undefined) steps.push({ kind: "all" });
    else if (field !== undefined) steps.push({ kind: "field", name: field.replace(/\\(.)/g, "$1") });
    else if (quoted !== undefined) steps.push({ kind: "field", name: quoted });
    else if (index !== undefined) steps.push({ kind: "index", index: Number(index) });
    else if (inner !== undefined) {
      const wanted = operator === "==" || operator === "!=" ? operator : undefined;
      steps.push({ kind: "filter", path: parse(inner.trim()), operator: wanted, value: double ?? single ?? bare ?? "" });
    }
  }
  return steps;
}

function follow(steps: readonly Step[], roots: readonly unknown[]): unknown[] {
  return steps
    .reduce<unknown[]>((nodes, step) => nodes.flatMap((node) => take(step, node)), [...roots])
    .filter((value) => value !== undefined && value !== null);
}

function take(step: Step, node: unknown): unknown[] {
  if (typeof node !== "object" || node === null) return [];
  const items: unknown[] = Array.isArray(node) ? node : Object.values(node);
  switch (step.kind) {
    case "field":
      return !Array.isArray(node) && Object.hasOwn(node, step.name) ? [Reflect.get(node, step.name)] : [];
    case "index":
      return Array.isArray(node) ? [node.at(step.index)].filter((item) => Number.isInteger(step.index) && item !== undefined) : [];
    case "all":
      return items;
    case "filter":
      return items.filter((item) => {
        const found = follow(step.path, [item]);
        if (step.operator === undefined) return found.length > 0;
        return found.some((value) => String(value) === step.value) === (step.operator === "==") && found.length > 0;
      });
  }
}
