import type { Schema } from "@sluice/kubernetes";
import { DYN, type CelType } from "./types.ts";

/** How a schema is read as a type. */
export interface SchemaTypeOptions {
  /** Whether apiVersion, kind, metadata.name and metadata.generateName are there although the schema does not say so. */
  readonly isResourceRoot?: boolean;
}

/** The type of the values that a structural schema describes, or undefined if expressions cannot see them. */
export function celTypeOf(_schema: Schema, _resolve?: (name: string) => Schema, _options: SchemaTypeOptions = {}): CelType | undefined {
  return DYN;
}
