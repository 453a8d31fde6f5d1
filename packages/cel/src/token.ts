import type { Literal } from "./ast.ts";

/** A token; its text is as it stands in the source. */
export interface Token {
  readonly kind: "operator" | "ident" | "quotedIdent" | "literal" | "end";
  readonly text: string;
  readonly offset: number;
  /** Of a literal. */
  readonly value?: Literal;
}

/** A text that is no expression. */
export class SyntaxIssue extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}
