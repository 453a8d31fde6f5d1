import type { Client } from "@sluice/client";
import { keyOf, Reflector, Store, type Clock, type Logger } from "@sluice/controller";
import { EndpointSlice, Service, type Endpoint, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";

/** The label by which a slice says whose endpoints it holds. */
const SERVICE_NAME = "kubernetes.io/service-name";

/** What keeps a catalog up to date. */
export interface CatalogOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The services of the cluster and their endpoints, as the node's watches show them. */
export class ServiceCatalog {
  readonly #services = new Store<Service>(Service, [
    { resource: Service, name: "address", valuesOf: ({ spec }) => (hasAddress(spec) ? [spec.clusterIP] : []) },
  ]);
  readonly #slices = new Store<EndpointSlice>(EndpointSlice, [
    { resource: EndpointSlice, name: "service", valuesOf: (slice) => [serviceOf(slice)] },
    { resource: EndpointSlice, name: "address", valuesOf: ({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses) },
  ]);
  readonly #listeners = new Set<() => void>();
  readonly #synced = Promise.withResolvers<void>();
  /** Resolves once everything that exists is known, or `run` has ended. */
  readonly synced: Promise<void> = this.#synced.promise;
  #isSynced = false;

  /** Whether everything that exists is known: until then, what is not found may exist. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Calls `listener` after every change, and once everything is known. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  find(key: ObjectKey): Service | undefined {
    return this.#services.get(keyOf(key));
  }

  list(namespace?: string): readonly Service[] {
    return this.#services.list(namespace);
  }

  /** The slices of a service that hold IPv4 addresses. */
  slicesOf({ metadata }: Pick<Service, "metadata">): readonly EndpointSlice[] {
    return this.#slices.byIndex("service", keyOf(metadata)).filter(({ addressType }) => addressType === "IPv4");
  }

  /** The service whose own address this is. */
  serviceAt(address: string): Service | undefined {
    return this.#services.byIndex("address", address)[0];
  }

  /** The services among whose endpoints an address is. */
  endpointsAt(address: string): readonly { readonly service: Service; readonly endpoint: Endpoint }[] {
    return this.#slices.byIndex("address", address).flatMap((slice) => {
      const service = this.#services.get(serviceOf(slice));
      const endpoint = slice.endpoints.find(({ addresses }) => addresses.includes(address));
      return service === undefined || endpoint === undefined ? [] : [{ service, endpoint }];
    });
  }

  /** Keeps the catalog equal to the API until the signal aborts. */
  async run(options: CatalogOptions): Promise<void> {
    const reflectors = [this.#reflector(Service, this.#services, options), this.#reflector(EndpointSlice, this.#slices, options)];
    const running = Promise.all(reflectors.map((reflector) => reflector.run()));
    await Promise.all(reflectors.map(({ synced }) => synced));
    this.#isSynced = !options.signal.aborted;
    this.#changed();
    this.#synced.resolve();
    await running;
  }

  #reflector<T extends KubernetesObject>(resource: Resource<T>, store: Store<T>, { client, clock, logger, signal }: CatalogOptions): Reflector<T> {
    const onError = (error: unknown): void => logger.warn("a watch of the node failed", { resource: resource.plural, error });
    return new Reflector({ client, resource, store, handler: () => this.#changed(), clock, signal, onError });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function serviceOf({ metadata }: EndpointSlice): string {
  return keyOf({ namespace: metadata.namespace, name: metadata.labels?.[SERVICE_NAME] ?? "" });
}

/** Whether a service has an address of its own. */
export function hasAddress(spec: Service["spec"]): spec is Service["spec"] & { readonly clusterIP: string } {
  return spec.type !== "ExternalName" && spec.clusterIP !== undefined && spec.clusterIP !== "" && spec.clusterIP !== "None";
}

/** Whether a service is nothing but its endpoints. */
export function isHeadless({ spec }: Service): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP === "None";
}
