import { lookup, type LookupAddress } from "node:dns";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { ApiError } from "@sluice/kubernetes";
import { isPublicAddress } from "./public-address.ts";

/** Whether a host is among those (`host` or `host:port`) that may be asked although they are not of the public internet. */
export function isListed(privateHosts: readonly string[], { protocol, hostname, port }: Pick<URL, "protocol" | "hostname" | "port">): boolean {
  const ownPort = port === "" ? (protocol === "https:" ? "443" : "80") : port;
  return privateHosts.includes(hostname) || privateHosts.includes(`${hostname}:${ownPort}`);
}

/** Looks a name up, and leads to nothing that is not public: what is checked is what is connected to. */
export function publicLookup(host: string): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, "", 0);
      const bad = addresses.find(({ address }) => !isPublicAddress(address));
      if (bad !== undefined) return callback(asError(privateHost(host, bad.address)), "", 0);
      const [first] = addresses;
      if (options.all === true) callback(null, addresses);
      else callback(null, first?.address ?? "", first?.family);
    });
  };
}

/** Why a host that is written as an address is not asked; undefined if it is a name or public. */
export function privateLiteral(host: string, hostname: string): ApiError | undefined {
  const address = hostname.replace(/^\[|\]$/gu, "");
  return isIP(address) !== 0 && !isPublicAddress(address) ? privateHost(host, address) : undefined;
}

/** Agents that connect with nothing but the public internet, whatever they are asked for. */
export function publicAgents(maxSockets: number): { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent } {
  const options = { keepAlive: true, maxSockets };
  return { httpAgent: new PublicHttpAgent(options), httpsAgent: new PublicHttpsAgent(options) };
}

type Connect = HttpAgent["createConnection"];

class PublicHttpAgent extends HttpAgent {
  override createConnection(...[options, callback]: Parameters<Connect>): ReturnType<Connect> {
    return connectPublicly((own, done) => super.createConnection(own, done), options, callback);
  }
}

class PublicHttpsAgent extends HttpsAgent {
  override createConnection(...[options, callback]: Parameters<Connect>): ReturnType<Connect> {
    return connectPublicly((own, done) => super.createConnection(own, done), options, callback);
  }
}

function connectPublicly(connect: Connect, options: Parameters<Connect>[0], callback: Parameters<Connect>[1]): Duplex | null | undefined {
  const hostname = options.host ?? "localhost";
  const host = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${String(options.port ?? "")}`;
  const refusal = privateLiteral(host, hostname);
  if (refusal === undefined) return connect({ ...options, lookup: publicLookup(host) }, callback);
  // Node tells the request of it, as of any connection that fails.
  callback?.(asError(refusal), null as never);
  return undefined;
}

function privateHost(host: string, address: string): ApiError {
  const fix = `If it may be, add ${JSON.stringify(host)} to artifacts.privateHosts in sluice.yaml`;
  return new ApiError("Forbidden", `${host} has the address ${address}, which is not of the public internet, and is not asked. ${fix}`);
}

/** Sockets fail with plain errors; `remoteError` finds what was refused in it. */
function asError(refusal: ApiError): Error {
  return new Error(refusal.message, { cause: refusal });
}
