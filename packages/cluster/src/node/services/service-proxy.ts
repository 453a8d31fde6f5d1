import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "@sluice/controller";
import type { RouteEndpoint, ServiceRoute } from "../sandbox/network/service-route.ts";

/** An address of this machine that leads to a service. */
export interface ProxyListener {
  readonly address: string;
  readonly port: number;
  readonly route: ServiceRoute;
}

/** How long a client that sends datagrams is remembered after the last one. */
const QUIET_MS = 120_000;

/** Passes connections and datagrams on to the endpoints of services. */
export class ServiceProxy implements AsyncDisposable {
  readonly #open = new Map<string, { readonly listening: Listening; route: ServiceRoute }>();
  /** Those of which it was said that they cannot be had. */
  readonly #missing = new Set<string>();
  readonly #logger: Logger;
  #work: Promise<void> = Promise.resolve();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Listens there and nowhere else; connections that exist go on. A place that cannot be had is told once, and tried again each time. */
  async apply(listeners: readonly ProxyListener[]): Promise<void> {
    this.#work = this.#work.then(() => this.#apply(listeners));
    await this.#work;
  }

  async #apply(listeners: readonly ProxyListener[]): Promise<void> {
    const wanted = new Map(listeners.map((listener) => [`${listener.route.protocol} ${listener.address} ${listener.port}`, listener]));
    const gone = [...this.#open].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) this.#open.delete(key);
    await Promise.all(gone.map(([, { listening }]) => listening.close()));
    await Promise.all([...wanted].map(([key, listener]) => this.#listen(key, listener)));
  }

  async #listen(key: string, { address, port, route }: ProxyListener): Promise<void> {
    const known = this.#open.get(key);
    if (known !== undefined) {
      known.route = route;
      return;
    }
    const open = route.protocol === "TCP" ? listenForConnections : route.protocol === "UDP" ? listenForDatagrams : undefined;
    if (open === undefined) return;
    try {
      const listening = await open(address, port, (client) => chooseEndpoint(this.#open.get(key)?.route ?? route, client));
      this.#open.set(key, { listening, route });
      this.#missing.delete(key);
    } catch (error) {
      if (this.#missing.has(key)) return;
      this.#missing.add(key);
      this.#logger.warn("a service's port cannot be had on this machine", { service: route.name, address, port, error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.apply([]);
  }
}

interface Listening {
  close(): Promise<void>;
}

/** Any endpoint; with affinity always the same one for a client, as long as that is there. */
function chooseEndpoint({ endpoints, affinitySeconds }: ServiceRoute, client: string): RouteEndpoint | undefined {
  if (affinitySeconds === undefined) return endpoints[Math.floor(Math.random() * endpoints.length)];
  return endpoints.toSorted((a, b) => weightOf(client, a) - weightOf(client, b))[0];
}

function weightOf(client: string, { address, port }: RouteEndpoint): number {
  return [...`${client} ${address} ${port}`].reduce((hash, character) => Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193) >>> 0, 0x811c_9dc5);
}

async function listenForConnections(address: string, port: number, choose: (client: string) => RouteEndpoint | undefined): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const endpoint = choose(client.remoteAddress ?? "");
    if (endpoint === undefined) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ host: endpoint.address, port: endpoint.port, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => other.resetAndDestroy()); // What breaks on one side breaks on the other.
      socket.pipe(other);
    }
  });
  server.listen(port, address);
  await once(server, "listening");
  return {
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function listenForDatagrams(address: string, port: number, choose: (client: string) => RouteEndpoint | undefined): Promise<Listening> {
  const server = createSocket("udp4");
  const clients = new Map<string, { readonly socket: UdpSocket; readonly endpoint: RouteEndpoint; timer: NodeJS.Timeout }>();
  const forget = (key: string): void => {
    const client = clients.get(key);
    clients.delete(key);
    clearTimeout(client?.timer);
    client?.socket.close();
  };
  server.on("message", (message, from) => {
    const key = `${from.address}:${from.port}`;
    const endpoint = clients.get(key)?.endpoint ?? choose(from.address);
    if (endpoint === undefined) return;
    const client = clients.get(key) ?? { socket: createSocket("udp4"), endpoint, timer: setTimeout(() => forget(key), QUIET_MS).unref() };
    if (!clients.has(key)) {
      clients.set(key, client);
      client.socket.on("message", (answer) => server.send(answer, from.port, from.address));
      client.socket.on("error", () => forget(key)); // Nobody is there: the next datagram chooses anew.
    }
    client.timer.refresh();
    client.socket.send(message, endpoint.port, endpoint.address);
  });
  server.bind(port, address);
  await once(server, "listening");
  // A datagram that cannot be sent is one that got lost.
  server.on("error", () => {});
  return {
    async close() {
      for (const key of clients.keys()) forget(key);
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
