import { libraryOf, type Library } from "../functions.ts";
import type { CelType } from "../types.ts";
import { authorizer } from "./authorizer.ts";
import { formats } from "./format.ts";
import { ips } from "./ip.ts";
import { lists, sets } from "./lists.ts";
import { operators } from "./operators.ts";
import { optional } from "./optional.ts";
import { quantities } from "./quantity.ts";
import { regex } from "./regex.ts";
import { semvers } from "./semver.ts";
import { standard, standardTypes } from "./standard.ts";
import { strings } from "./strings.ts";
import { urls } from "./url.ts";

/** Everything that an expression of Kubernetes may call. */
export const library: Library = libraryOf(
  operators,
  standard,
  strings,
  lists,
  sets,
  regex,
  optional,
  quantities,
  urls,
  ips,
  semvers,
  formats,
  authorizer,
);

/** The types that an expression may name, by their names. */
export const namedTypes: ReadonlyMap<string, CelType> = new Map<string, CelType>([...Object.entries(standardTypes), ...opaqueTypes()]);

function opaqueTypes(): [string, CelType][] {
  const found = new Map<string, CelType>();
  for (const overload of [...library.values()].flat()) if (overload.result.kind === "opaque") found.set(overload.result.name, overload.result);
  return [...found];
}
