import { callable, passed, type Component } from "./component.ts";
import type { OptionalKeys, Passthrough } from "./graph.ts";
import type { ArtifactType, ParameterType, Ports } from "./types.ts";

/** What stands in a command for an artifact that is known once the task runs. */
export interface ArtifactPlaceholder {
  readonly path: string;
  readonly uri: string;
  /** One entry of its metadata. */
  readonly metadata: (key: string) => string;
}
/** What stands in a command for a value that is known once the task runs; a list of artifacts is JSON. */
type PlaceholderOf<P, Side> = P extends ParameterType
  ? Side extends "inputs"
    ? string
    : { readonly file: string }
  : P extends ArtifactType<infer L>
    ? L extends true
      ? string
      : ArtifactPlaceholder
    : never;

/** One word of a command line, or what it depends on whether an input is there. */
export type Word = string | Concat | IfPresent;
interface Concat {
  readonly Concat: readonly Word[];
}
interface IfPresent {
  readonly IfPresent: { readonly InputName: string; readonly Then: Word | readonly Word[]; readonly Else?: Word | readonly Word[] };
}

/** Placeholders by input and output: a parameter's value, the file for a parameter's output, an artifact's path or URI. */
export interface CommandContext<I, O> {
  readonly inputs: { readonly [K in keyof I]: PlaceholderOf<I[K], "inputs"> };
  readonly outputs: { readonly [K in keyof O]: PlaceholderOf<O[K], "outputs"> };
  /** All of it, as JSON. */
  readonly executorInput: string;
  /** One word, or several, if an input that callers may leave out was given; else others, or none. */
  readonly ifPresent: (input: OptionalKeys<I> & string, then: Word | readonly Word[], otherwise?: Word | readonly Word[]) => Word;
  /** One word of several parts; of strings alone, a template does the same. */
  readonly concat: (...parts: readonly Word[]) => Word;
}
/** Words of a command line. */
export type Words<I, O> = readonly string[] | ((context: CommandContext<I, O>) => readonly Word[]);

/** A component from any container image. */
export function container<const I extends Ports, const O extends Ports>(options: {
  readonly name: string;
  readonly image: string;
  readonly command?: Words<I, O>;
  readonly args?: Words<I, O>;
  readonly inputs: I;
  readonly outputs: O;
  /** Settings of a task that its `taskConfig()` input gets, to hand them on. */
  readonly passthrough?: readonly (Passthrough["field"] | Passthrough)[];
}): Component<I, O> {
  const { name, image, command = [], args = [], inputs, outputs, passthrough } = options;
  const context = {
    inputs: placeholders("inputs", inputs),
    outputs: placeholders("outputs", outputs),
    executorInput: "{{$}}",
    ifPresent,
    concat: (...parts: readonly Word[]) => ({ Concat: parts }),
  } as CommandContext<I, O>;
  const words = (given: Words<I, O>): readonly string[] =>
    (typeof given === "function" ? given(context) : given).map((word) => (typeof word === "string" ? word : JSON.stringify(word)));
  const executor = { kind: "container", image, command: words(command), args: words(args) } as const;
  return callable({ name, inputs, outputs, executor, ...passed(passthrough) }, outputs);
}

function ifPresent(input: string, then: Word | readonly Word[], otherwise?: Word | readonly Word[]): Word {
  return { IfPresent: { InputName: input, Then: then, ...(otherwise === undefined ? {} : { Else: otherwise }) } };
}

function placeholders(side: "inputs" | "outputs", ports: Ports): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(ports).map(([key, type]) => {
      const at = `$.${side}.${type.kind}s['${key}']`;
      if (type.kind === "parameter") return [key, side === "inputs" ? `{{${at}}}` : { file: `{{${at}.output_file}}` }];
      if (type.list) return [key, `{{${at}}}`];
      const metadata = (name: string): string => `{{${at}.metadata['${name}']}}`;
      return [key, { path: `{{${at}.path}}`, uri: `{{${at}.uri}}`, metadata }];
    }),
  );
}
