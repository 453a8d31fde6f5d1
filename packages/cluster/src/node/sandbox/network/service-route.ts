/** Where one port of a service leads. */
export interface ServiceRoute {
  /** `namespace/service:port`. */
  readonly name: string;
  /** The service's own address. */
  readonly address: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  /** The port of this machine that leads there, too. */
  readonly nodePort?: number | undefined;
  /** How long a client that has been quiet still goes where it went before; absent if it may go anywhere. */
  readonly affinitySeconds?: number | undefined;
  readonly endpoints: readonly RouteEndpoint[];
}

/** One of the processes behind a service. */
export interface RouteEndpoint {
  readonly address: string;
  readonly port: number;
}

/** How the addresses of services lead to their endpoints on this machine. */
export type ServiceRouting =
  /** The kernel rewrites packets by the routes that it was last given. */
  | { readonly by: "kernel"; apply(routes: readonly ServiceRoute[]): Promise<void> }
  /** This program listens at `addressOf` a service's own address. */
  | { readonly by: "proxy"; addressOf(serviceAddress: string): string };
