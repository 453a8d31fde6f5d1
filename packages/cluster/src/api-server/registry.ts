import type { ApiRequest, ApiResponse, UserInfo } from "@sluice/client";
import { apiVersionOf, applyDefaults, type ObjectKey, type Resource, type Schema, type UnknownObject } from "@sluice/kubernetes";
import { qualified } from "./api-errors.ts";
import { toEventsGroup } from "./event-versions.ts";
import type { Strategy } from "./strategy.ts";

/** A kind in one version, as the server serves it. */
export interface ServedResource {
  readonly resource: Resource;
  /** Where the store keeps the objects, whatever the version. */
  readonly table: string;
  /** The version that objects are stored in. */
  readonly storageVersion: string;
  readonly isCustom: boolean;
  readonly strategy: Strategy;
  readonly resolve: ((name: string) => Schema) | undefined;
  /** A stored object as this version shows it; the same reference for the same object. */
  view(stored: UnknownObject): UnknownObject;
}

/** A resource or subresource that is computed, not stored. */
export interface VirtualResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly subresource?: string;
  /** The one method it answers. */
  readonly method: "GET" | "POST";
  answer(request: ApiRequest, user: UserInfo, key: Partial<ObjectKey>): Promise<ApiResponse>;
}

/** Which resources the server serves: the built-in ones for good, the custom ones as their definitions come and go. */
export class Registry {
  readonly #served = new Map<string, ServedResource>();
  readonly #custom = new Map<string, readonly ServedResource[]>();
  readonly #listeners = new Set<() => void>();

  /** All that is served, built-in first. */
  get all(): readonly ServedResource[] {
    return [...this.#served.values()];
  }

  /** The resource at a group, version and plural. */
  find(group: string, version: string, plural: string): ServedResource | undefined {
    return this.#served.get(`${group}/${version}/${plural}`);
  }

  /** Whether any resource of that group version is served. */
  hasVersion(group: string, version: string): boolean {
    return this.all.some(({ resource }) => resource.group === group && resource.version === version);
  }

  /** Serves a built-in kind. */
  addBuiltIn(resource: Resource, strategy: Strategy, resolve: ((name: string) => Schema) | undefined): void {
    const isEvent = resource.group === "events.k8s.io" && resource.plural === "events";
    const table = isEvent ? "events" : qualified(resource);
    const served: ServedResource = {
      resource,
      table,
      // Of several versions the first to be registered is the one that is stored.
      storageVersion: this.all.find((one) => one.table === table)?.storageVersion ?? apiVersionOf(resource),
      isCustom: false,
      strategy,
      resolve,
      view: isEvent ? remember(toEventsGroup) : viewAs(resource, undefined),
    };
    this.#served.set(pathKey(resource), served);
    this.#changed();
  }

  /** Serves the versions that the definition `crd` describes, in place of those it described before. */
  setCustom(crd: string, resources: readonly Resource[], storageVersion: string, strategy: Strategy): void {
    for (const { resource } of this.#custom.get(crd) ?? []) this.#served.delete(pathKey(resource));
    const served = resources.map((resource): ServedResource => ({
      resource,
      table: qualified(resource),
      storageVersion: apiVersionOf({ group: resource.group, version: storageVersion }),
      isCustom: true,
      strategy,
      resolve: undefined,
      view: viewAs(resource, resource.schema),
    }));
    if (served.length === 0) this.#custom.delete(crd);
    else this.#custom.set(crd, served);
    for (const one of served) this.#served.set(pathKey(one.resource), one);
    this.#changed();
  }

  /** Calls `listener` after every change of what is served; the result stops that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function pathKey({ group, version, plural }: Resource): string {
  return `${group}/${version}/${plural}`;
}

function remember(convert: (stored: UnknownObject) => UnknownObject): (stored: UnknownObject) => UnknownObject {
  const views = new WeakMap<UnknownObject, UnknownObject>();
  return (stored) => {
    let view = views.get(stored);
    if (view === undefined) views.set(stored, (view = Object.freeze(convert(stored))));
    return view;
  };
}

function viewAs(resource: Resource, defaults: Schema | undefined): (stored: UnknownObject) => UnknownObject {
  const apiVersion = apiVersionOf(resource);
  const convert = remember((stored) => {
    const relabelled = stored.apiVersion === apiVersion ? stored : { ...stored, apiVersion };
    return defaults === undefined ? relabelled : applyDefaults(relabelled, defaults);
  });
  return (stored) => (defaults === undefined && stored.apiVersion === apiVersion ? stored : convert(stored));
}
