import { jsonEqual } from "@sluice/kubernetes";
import type { Clock, Logger } from "@sluice/controller";
import type { ServiceRoute, ServiceRouting } from "../sandbox/network/service-route.ts";
import { planRoutes } from "./plan-routes.ts";
import type { ServiceCatalog } from "./service-catalog.ts";
import { ServiceProxy, type ProxyListener } from "./service-proxy.ts";

/** What leads to services needs. */
export interface RouteServicesOptions {
  readonly catalog: ServiceCatalog;
  readonly routing: ServiceRouting;
  /** The addresses of this machine at which node ports are. */
  readonly addresses: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 1000;

/** Keeps services' addresses and node ports leading to their endpoints until the signal aborts. */
export async function routeServices({ catalog, routing, addresses, clock, logger, signal }: RouteServicesOptions): Promise<void> {
  await using proxy = new ServiceProxy(logger);
  let applied: readonly ServiceRoute[] | undefined;
  let isDue = false;
  let wake = (): void => {};
  const changed = (): void => {
    isDue = catalog.isSynced;
    wake();
  };
  catalog.onChange(changed);
  signal.addEventListener("abort", changed, { once: true });
  changed();
  while (!signal.aborted) {
    if (!isDue) {
      await new Promise<void>((resolve) => (wake = resolve));
      // What changes in the same turn changes together.
      await new Promise(setImmediate);
      continue;
    }
    isDue = false;
    const routes = planRoutes(catalog);
    if (jsonEqual(routes, applied)) continue;
    try {
      if (routing.by === "kernel") await routing.apply(routes);
      await proxy.apply([...nodePorts(routes, addresses), ...(routing.by === "proxy" ? ownAddresses(routes, routing.addressOf) : [])]);
      applied = routes;
    } catch (error) {
      logger.error("services do not lead to their endpoints, which will be tried again", { error });
      isDue = true;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

function nodePorts(routes: readonly ServiceRoute[], addresses: readonly string[]): readonly ProxyListener[] {
  return routes.flatMap((route) => (route.nodePort === undefined ? [] : addresses.map((address) => ({ address, port: route.nodePort ?? 0, route }))));
}

function ownAddresses(routes: readonly ServiceRoute[], addressOf: (serviceAddress: string) => string): readonly ProxyListener[] {
  return routes.map((route) => ({ address: addressOf(route.address), port: route.port, route }));
}
