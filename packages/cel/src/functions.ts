import type { CelBudget } from "./budget.ts";
import type { CelType } from "./types.ts";
import { sizeOf, type CelResult, type CelValue, type ValueOf } from "./values.ts";

/** One way to call a function. */
export interface Overload {
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Whether the first argument stands before the dot. */
  readonly isMember: boolean;
  /** What a call costs, known before it is made; 1 unless told. */
  readonly cost: ((...args: readonly CelValue[]) => number) | undefined;
  readonly call: (...args: readonly (CelValue | CelBudget)[]) => CelResult;
}

/** The overloads of each function. */
export type Library = ReadonlyMap<string, readonly Overload[]>;

/** An overload with its function's name, as libraries list them. */
export interface NamedOverload extends Overload {
  readonly name: string;
}

/** What parameters of these types are given. */
type ValuesOf<A extends readonly CelType[]> = { readonly [I in keyof A]: ValueOf<A[I]> };

interface FunctionOptions<A extends readonly CelType[]> {
  readonly cost?: (...args: ValuesOf<A>) => number;
}

type Implementation<A extends readonly CelType[]> = (...args: [...ValuesOf<A>, CelBudget]) => CelResult;

/** A function; its implementation is called only with values of these types, and with the budget behind them. */
export function fn<const A extends readonly CelType[]>(
  name: string,
  args: A,
  result: CelType,
  implementation: Implementation<A>,
  options: FunctionOptions<A> = {},
): NamedOverload {
  return { name, args, result, isMember: false, ...erased(implementation, options) };
}

/** A method: a function whose first argument stands before the dot. */
export function method<const A extends readonly CelType[]>(
  name: string,
  args: A,
  result: CelType,
  implementation: Implementation<A>,
  options: FunctionOptions<A> = {},
): NamedOverload {
  return { name, args, result, isMember: true, ...erased(implementation, options) };
}

/** The evaluator looks at the types of the arguments before it calls. */
function erased<A extends readonly CelType[]>(implementation: Implementation<A>, { cost }: FunctionOptions<A>): Pick<Overload, "call" | "cost"> {
  return { call: implementation as Overload["call"], cost: cost as Overload["cost"] };
}

/** Collects overloads by name. */
export function libraryOf(...parts: readonly (readonly NamedOverload[])[]): Library {
  const library = new Map<string, Overload[]>();
  for (const overload of parts.flat()) {
    const known = library.get(overload.name);
    if (known === undefined) library.set(overload.name, [overload]);
    else known.push(overload);
  }
  return library;
}

/** What it costs to read so many characters, bytes or items, `times` over. */
export function traversal(size: number, times = 1): number {
  return Math.ceil(size * times * 0.1);
}

/** The cost of a function that reads its first argument once. */
export function readsFirst(first: CelValue): number {
  return traversal(sizeOf(first));
}
