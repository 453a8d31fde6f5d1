import type { Cause, ObjectKey, UnknownObject } from "@sluice/kubernetes";

/** What a strategy may ask of the world. */
export interface StrategyContext {
  readonly now: string;
  readonly newId: () => string;
  /** A committed object, by the store's table. */
  find(table: string, key: ObjectKey): UnknownObject | undefined;
  list(table: string): readonly UnknownObject[];
}

/** What may be asked of the world while an object is being written. */
export interface AllocationContext {
  /** All objects of the store's table, with those that are being written in the same commit. */
  staged(table: string): readonly UnknownObject[];
}

/** An object that another brings with it, and the store's table it goes to. */
interface Companion {
  readonly table: string;
  readonly object: UnknownObject;
}

/**
 * What a built-in kind does beyond its schema. Every hook is pure: it gets the object, never changes it, and returns
 * the one to go on with.
 */
export interface Strategy {
  /** Completes a new object after the schema's defaults. */
  readonly prepareCreate?: (object: UnknownObject, context: StrategyContext) => UnknownObject;
  /** Carries over what an update of the main resource may not change. */
  readonly prepareUpdate?: (next: UnknownObject, current: UnknownObject, context: StrategyContext) => UnknownObject;
  /** What the schema cannot see; `current` is absent on creation. */
  readonly validate?: (next: UnknownObject, current: UnknownObject | undefined) => readonly Cause[];
  /** Gives what no two objects may have, as a part of the write; the same object where nothing is missing. May refuse. */
  readonly allocate?: (object: UnknownObject, context: AllocationContext) => UnknownObject;
  /** Objects that come into being with it, in the same commit, unless they exist: nobody must meet the one without the others. */
  readonly companions?: (object: UnknownObject) => readonly Companion[];
  /** How long a deleted object lingers: undefined deletes at once. */
  readonly gracePeriodSeconds?: (object: UnknownObject, requested: number | undefined) => number;
  /** Why an object may not be deleted; undefined if it may. */
  readonly undeletable?: (object: UnknownObject) => string | undefined;
  /** What becomes of an object whose deletion begins. */
  readonly prepareDelete?: (object: UnknownObject) => UnknownObject;
  /** Whether an object in deletion without metadata.finalizers must still stay. */
  readonly isHeld?: (object: UnknownObject) => boolean;
  /** The answer to a deletion is the object, not a Status. */
  readonly returnsDeleted?: boolean;
  /** A PUT of an absent object creates it. */
  readonly createsOnUpdate?: boolean;
  /** The rule for names; DNS subdomain unless told. */
  readonly nameRule?: "subdomain" | "label" | "service" | "path";
  /** Whether the server counts generations; by the presence of a spec unless told. */
  readonly hasGeneration?: boolean;
  /** Dependents are kept unless the deletion says otherwise. */
  readonly orphansByDefault?: boolean;
}
