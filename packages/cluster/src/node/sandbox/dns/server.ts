import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { Clock } from "@sluice/controller";
import { decodeQuery, DNS_CODES, DNS_TYPES, type DnsQuery, type DnsRecord, encodeResponse } from "./message.ts";
import { forwardQuery, framed, type Upstream, unframed } from "./forward.ts";

/**
 * What a name server knows of a name: its records of the type asked for, `unknown` if there is no such name, `later` if it
 * cannot say yet, or `elsewhere`.
 */
export type DnsAnswer = readonly DnsRecord[] | "unknown" | "later" | "elsewhere";

/** What a name server needs. */
export interface DnsServerOptions {
  readonly address: string;
  /** 0 takes any that is free. */
  readonly port: number;
  answer(name: string, type: number): DnsAnswer;
  /** Who knows the names that are elsewhere, at this moment. */
  upstreams(): readonly Upstream[];
  readonly clock: Clock;
}

/** A running name server. */
export interface DnsServer extends AsyncDisposable {
  readonly port: number;
}

const LARGEST_MESSAGE = 65_535;
const IDLE_MS = 10_000;
const ALIAS_PATIENCE_MS = 2000;

/** Serves names by UDP and TCP. Throws where the address cannot be had. */
export async function openDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const connections = new Set<Socket>();
  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    // A resolver that breaks off has what it wanted, or will ask again.
    socket.on("error", () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      const { messages, rest } = unframed(Buffer.concat([received, bytes]));
      received = Buffer.from(rest);
      for (const message of messages) {
        void respond(message, "tcp", options).then((answer) => answer !== undefined && !socket.destroyed && socket.write(framed(answer)));
      }
    });
  });
  tcp.listen(options.port, options.address);
  await once(tcp, "listening");
  const bound = tcp.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : options.port;

  const udp = createSocket("udp4");
  let isClosed = false;
  udp.on("message", (message, { address, port: from }) => {
    void respond(message, "udp", options).then((answer) => answer !== undefined && !isClosed && udp.send(answer, from, address));
  });
  udp.bind(port, options.address);
  try {
    await once(udp, "listening");
  } catch (error) {
    tcp.close();
    throw error;
  }
  // An answer that cannot be sent is one that got lost: the resolver asks again.
  udp.on("error", () => {});
  return {
    port,
    async [Symbol.asyncDispose]() {
      if (isClosed) return;
      isClosed = true;
      udp.close();
      tcp.close();
      for (const socket of connections) socket.destroy();
    },
  };
}

async function respond(message: Buffer, transport: "udp" | "tcp", options: DnsServerOptions): Promise<Buffer | undefined> {
  const query = decodeQuery(message);
  if (query === undefined) return undefined;
  const maxBytes = transport === "udp" ? query.maxBytes : LARGEST_MESSAGE;
  const answer = options.answer(query.name, query.type);
  if (answer === "elsewhere") {
    const { clock } = options;
    return (await forwardQuery(message, options.upstreams(), { transport, clock })) ?? failure(query, maxBytes);
  }
  if (answer === "later") return failure(query, maxBytes);
  if (answer === "unknown") return encodeResponse(query, { code: DNS_CODES.noSuchName, records: [], maxBytes });
  const records = [...answer, ...(await behindAlias(answer, query.type, options))];
  return encodeResponse(query, { code: DNS_CODES.success, records, maxBytes });
}

/** The addresses that an alias leads to: a pod's own resolver does not ask again. */
async function behindAlias(answer: readonly DnsRecord[], type: number, options: DnsServerOptions): Promise<readonly DnsRecord[]> {
  const [alias] = answer;
  if (alias?.type !== "CNAME" || type !== DNS_TYPES.A) return [];
  const owner = alias.target;
  const known = options.answer(owner.toLowerCase(), type);
  if (known !== "elsewhere")
    return typeof known === "string" ? [] : known.filter((record) => record.type === "A").map((record) => ({ ...record, owner }));
  const resolver = new Resolver({ timeout: ALIAS_PATIENCE_MS, tries: 1 });
  resolver.setServers(options.upstreams().map(({ address, port }) => (address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`)));
  try {
    return (await resolver.resolve4(owner)).map((address) => ({ type: "A", owner, address }));
  } catch {
    return []; // Nobody knows the name that the alias gives: then it has no address.
  }
}

function failure(query: DnsQuery, maxBytes: number): Buffer {
  return encodeResponse(query, { code: DNS_CODES.serverFailure, records: [], maxBytes });
}
