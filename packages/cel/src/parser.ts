import { node, type Expr, type Literal } from "./ast.ts";
import { isInRange, negated, tokenize } from "./lexer.ts";
import { expandMacro } from "./macros.ts";
import { SyntaxIssue, type Token } from "./token.ts";

/** How many UTF-16 units an expression may have. */
const MAX_EXPRESSION_LENGTH = 100_000;
/** How deep an expression may nest. */
const MAX_DEPTH = 250;

const RESERVED = new Set(
  "as break const continue else false for function if import in let loop package namespace null return true var void while".split(" "),
);
const STARTS = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** How tightly the operators between two operands bind. */
const BINARY: Readonly<Record<string, { readonly power: number; readonly function: string }>> = {
  "<": { power: 1, function: "_<_" },
  "<=": { power: 1, function: "_<=_" },
  ">": { power: 1, function: "_>_" },
  ">=": { power: 1, function: "_>=_" },
  "==": { power: 1, function: "_==_" },
  "!=": { power: 1, function: "_!=_" },
  in: { power: 1, function: "@in" },
  "+": { power: 2, function: "_+_" },
  "-": { power: 2, function: "_-_" },
  "*": { power: 3, function: "_*_" },
  "/": { power: 3, function: "_/_" },
  "%": { power: 3, function: "_%_" },
};

/** What stands in a text; throws a SyntaxIssue if it is no expression. Macros are written out. */
export function parse(source: string, options: { readonly macros?: boolean } = {}): Expr {
  if (source.length > MAX_EXPRESSION_LENGTH) {
    throw new SyntaxIssue(0, `expression code point size exceeds limit: size: ${source.length}, limit ${MAX_EXPRESSION_LENGTH}`);
  }
  const parser = new Parser(tokenize(source), options.macros ?? true);
  return parser.parseAll();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #macros: boolean;
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], macros: boolean) {
    this.#tokens = tokens;
    this.#macros = macros;
  }

  parseAll(): Expr {
    const expression = this.#expression();
    if (this.#peek().kind !== "end") throw this.#unexpected("<EOF>");
    return expression;
  }

  #expression(): Expr {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxIssue(this.#peek().offset, `expression recursion limit exceeded: ${MAX_DEPTH}`);
    const condition = this.#or();
    const question = this.#accept("?");
    let expression = condition;
    if (question !== undefined) {
      const yes = this.#or();
      this.#expect(":");
      expression = this.#call(question.offset, "_?_:_", undefined, [condition, yes, this.#expression()]);
    }
    this.#depth--;
    return expression;
  }

  #or(): Expr {
    return this.#logic("||", () => this.#logic("&&", () => this.#binary(1)));
  }

  #logic(operator: "&&" | "||", operand: () => Expr): Expr {
    const first = operand();
    const { offset } = this.#peek();
    const terms = [first];
    while (this.#accept(operator) !== undefined) terms.push(operand());
    return terms.length === 1 ? first : this.#checked(node({ kind: "logic", operator, terms, offset }));
  }

  #binary(power: number): Expr {
    let left = this.#unary();
    for (;;) {
      const token = this.#peek();
      const operator = token.kind === "operator" && Object.hasOwn(BINARY, token.text) ? BINARY[token.text] : undefined;
      if (operator === undefined || operator.power < power) return left;
      this.#position++;
      left = this.#call(token.offset, operator.function, undefined, [left, this.#binary(operator.power + 1)]);
    }
  }

  #unary(): Expr {
    const first = this.#peek();
    let count = 0;
    if (first.text === "!" && first.kind === "operator") {
      while (this.#accept("!") !== undefined) count++;
      const operand = this.#member(this.#primary());
      return count % 2 === 0 ? operand : this.#call(first.offset, "!_", undefined, [operand]);
    }
    while (this.#accept("-") !== undefined) count++;
    if (count === 0) return this.#member(this.#primary());
    const token = this.#peek();
    const literal = count === 1 ? negated(token) : undefined;
    if (literal !== undefined) {
      this.#position++;
      return this.#member(this.#literal(first.offset, literal));
    }
    const operand = this.#member(this.#primary());
    return count % 2 === 0 ? operand : this.#call(first.offset, "-_", undefined, [operand]);
  }

  #member(operand: Expr): Expr {
    for (;;) {
      const token = this.#peek();
      if (token.kind !== "operator") return operand;
      if (token.text === ".") operand = this.#afterDot(operand);
      else if (token.text === "[") {
        this.#position++;
        const name = this.#accept("?") === undefined ? "_[_]" : "_[?_]";
        const index = this.#expression();
        this.#expect("]");
        operand = this.#call(token.offset, name, undefined, [operand, index]);
      } else return operand;
    }
  }

  #afterDot(operand: Expr): Expr {
    const { offset } = this.#next();
    const mode = this.#accept("?") === undefined ? "value" : "optional";
    const name = this.#next();
    if (name.kind === "quotedIdent") return this.#checked(node({ kind: "select", operand, field: name.text.slice(1, -1), mode, offset }));
    if (name.kind !== "ident") throw this.#unexpected("{IDENTIFIER, ESC_IDENTIFIER}", name);
    const open = mode === "value" ? this.#accept("(") : undefined;
    if (open === undefined) return this.#checked(node({ kind: "select", operand, field: name.text, mode, offset }));
    return this.#call(
      open.offset,
      name.text,
      operand,
      this.#list(")", () => this.#expression(), { trailingComma: false }),
    );
  }

  #primary(): Expr {
    const token = this.#next();
    if (token.kind === "literal" && token.value !== undefined) return this.#literal(token.offset, token.value);
    if (token.kind === "ident") return this.#name("", token);
    if (token.kind === "operator") {
      switch (token.text) {
        case ".": {
          const name = this.#next();
          if (name.kind !== "ident") throw this.#unexpected("IDENTIFIER", name);
          return this.#name(".", name);
        }
        case "(": {
          const inner = this.#expression();
          this.#expect(")");
          return inner;
        }
        case "[": {
          const item = (): { isOptional: boolean; value: Expr } => ({ isOptional: this.#accept("?") !== undefined, value: this.#expression() });
          return this.#checked(node({ kind: "list", items: this.#list("]", item), offset: token.offset }));
        }
        case "{":
          return this.#checked(node({ kind: "map", entries: this.#list("}", () => this.#mapEntry()), offset: token.offset }));
      }
    }
    throw this.#unexpected(STARTS, token);
  }

  #mapEntry(): { isOptional: boolean; key: Expr; value: Expr } {
    const isOptional = this.#accept("?") !== undefined;
    const key = this.#expression();
    this.#expect(":");
    return { isOptional, key, value: this.#expression() };
  }

  /** A name, a call of a function, or the construction of an object. */
  #name(dot: string, token: Token): Expr {
    const struct = this.#structName(token);
    if (struct !== undefined) return this.#struct(`${dot}${struct.name}`, struct.tokens);
    if (RESERVED.has(token.text)) throw new SyntaxIssue(token.offset, `reserved identifier: ${token.text}`);
    const open = this.#accept("(");
    if (open === undefined) return node({ kind: "ident", name: `${dot}${token.text}`, offset: token.offset });
    return this.#call(
      open.offset,
      `${dot}${token.text}`,
      undefined,
      this.#list(")", () => this.#expression(), { trailingComma: false }),
    );
  }

  /** The name of an object type that is followed by `{`, if one is. */
  #structName(first: Token): { readonly name: string; readonly tokens: number } | undefined {
    let name = first.text;
    for (let ahead = 0; ; ahead += 2) {
      const token = this.#tokens[this.#position + ahead];
      const part = this.#tokens[this.#position + ahead + 1];
      if (token?.text === "{" && token.kind === "operator") return { name, tokens: ahead };
      if (token?.text !== "." || token.kind !== "operator" || part?.kind !== "ident") return undefined;
      name += `.${part.text}`;
    }
  }

  #struct(name: string, tokens: number): Expr {
    this.#position += tokens;
    const { offset } = this.#next();
    const fields = this.#list("}", () => {
      const isOptional = this.#accept("?") !== undefined;
      const field = this.#next();
      if (field.kind !== "ident" && field.kind !== "quotedIdent") throw this.#unexpected("{IDENTIFIER, ESC_IDENTIFIER}", field);
      const colon = this.#expect(":");
      const fieldName = field.kind === "ident" ? field.text : field.text.slice(1, -1);
      return { name: fieldName, isOptional, value: this.#expression(), offset: colon.offset };
    });
    return this.#checked(node({ kind: "struct", name, fields, offset }));
  }

  #list<T>(close: string, item: () => T, options: { readonly trailingComma: boolean } = { trailingComma: true }): T[] {
    const items: T[] = [];
    if (this.#accept(close) !== undefined) return items;
    if (options.trailingComma && this.#accept(",") !== undefined) {
      this.#expect(close);
      return items;
    }
    for (;;) {
      items.push(item());
      if (this.#accept(close) !== undefined) return items;
      if (this.#accept(",") === undefined) throw this.#unexpected(`{'${close}', ','}`);
      if (options.trailingComma && this.#accept(close) !== undefined) return items;
    }
  }

  #literal(offset: number, value: Literal): Expr {
    if (!isInRange(value)) throw new SyntaxIssue(offset, "invalid int literal");
    return node({ kind: "literal", value, offset });
  }

  #call(offset: number, name: string, target: Expr | undefined, args: readonly Expr[]): Expr {
    const expanded = this.#macros ? expandMacro(offset, name, target, args) : undefined;
    return this.#checked(expanded ?? node({ kind: "call", function: name, target, args, offset }));
  }

  #checked(expression: Expr): Expr {
    if (expression.height > MAX_DEPTH) throw new SyntaxIssue(expression.offset, "max recursion depth exceeded");
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? { kind: "end", text: "<EOF>", offset: 0 };
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#position++;
    return token;
  }

  #accept(operator: string): Token | undefined {
    const token = this.#peek();
    if (token.kind !== "operator" || token.text !== operator) return undefined;
    this.#position++;
    return token;
  }

  #expect(operator: string): Token {
    const token = this.#accept(operator);
    if (token === undefined) throw this.#unexpected(`'${operator}'`);
    return token;
  }

  #unexpected(expected: string, token: Token = this.#peek()): SyntaxIssue {
    return new SyntaxIssue(token.offset, `Syntax error: mismatched input '${token.text}' expecting ${expected}`);
  }
}
