import type { Client } from "@sluice/client";
import type { Clock, Controller, Logger } from "@sluice/controller";
import type { Database, Migration } from "@sluice/database";
import type { KubernetesObject, Resource } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import type { Hono } from "hono";
import type { Gate } from "./gate.ts";
import type { Identity } from "./identity.ts";
import type { Program } from "./program.ts";

/** What every route finds in its context: `context.get("identity")`. */
export interface RouteEnvironment {
  Variables: { identity: Identity };
}

/** A component's REST API. */
export type Routes = Hono<RouteEnvironment>;

/** All that a component may know of the world. */
export interface Capabilities {
  /** The Kubernetes API, as the component's own service account. */
  readonly client: Client;
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A new UUID; injected so that tests can name things. */
  readonly newId: () => string;
  /** Aborts when the platform stops. */
  readonly signal: AbortSignal;
}

/** A Kubernetes Service by which the component's routes are reached through the cluster's API. */
export interface ServiceName {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}

/** What a component adds to the platform. */
export interface Parts {
  /** Mounted at each of `paths` by the gateway. */
  readonly routes?: readonly { readonly paths: readonly string[]; readonly app: Routes }[];
  readonly controllers?: readonly Controller[];
  readonly programs?: readonly Program[];
  /** As what clients that know nothing but a kubeconfig look for its routes. */
  readonly services?: readonly ServiceName[];
  /** Takes up work that an earlier process left; runs after the controllers' caches and servers are up. */
  start?(): Promise<void>;
}

/** A subproject: any subset of them can be switched on. */
export interface Component {
  readonly name: string;
  /** The custom resources it needs installed. */
  readonly resources?: readonly Resource<KubernetesObject>[];
  /** Its part of the database; table names start with the component's own. */
  readonly migrations?: readonly Migration[];
  build(capabilities: Capabilities): Parts;
}

/** Defines a component; the platform builds it. */
export function defineComponent(component: Component): Component {
  return component;
}
