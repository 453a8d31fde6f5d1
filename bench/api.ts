import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "./connection.ts";
import { startEtcd } from "./etcd.ts";
import { load, type LoadResult } from "./load.ts";
import { residentMiB, startServer, temporaryDirectory, type Server } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const CLIENTS = 64;
const WARM = 4000;
const CREATES = 10_000;
const GETS = 40_000;
const WATCHERS = 200;
const EVENTS = 200;
const VALUE = "x".repeat(2048);
const MAPS = "/api/v1/namespaces/default/configmaps";

/** The API server against etcd: writes on disk before they are answered, over TLS, by equally many clients at equal places. */
export async function benchApi(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path);
  const idle = residentMiB(server.pid);
  const connections = await Promise.all(Array.from({ length: CLIENTS }, () => Connection.open(server.kubeconfig)));
  const create = (prefix: string) => (client: Connection, index: number) => client.send("POST", MAPS, configMap(`${prefix}-${index}`));
  await load(connections, WARM, create("warm"));
  const creates = await load(connections, CREATES - WARM, create("bench"));
  const gets = await load(connections, GETS, (client, index) => client.send("GET", `${MAPS}/warm-${index % WARM}`));
  const full = residentMiB(server.pid);
  const delivered = await watch(server);
  for (const connection of connections) connection[Symbol.dispose]();
  const peer = await etcd(directory.path, join(directory.path, "pki"));
  const rate = ({ perSecond }: LoadResult): string => `${perSecond.toFixed(0)}/s`;
  const times = ({ p50, p99 }: LoadResult): string => `${ms(p50)}, ${ms(p99)}`;
  const missing = "etcd is not installed (apt-get install etcd-server)";
  return [
    {
      name: `creates, ${CLIENTS} clients`,
      value: rate(creates),
      against: peer === undefined ? missing : `etcd's puts: ${rate(peer.puts)}, ratio ${(creates.perSecond / peer.puts.perSecond).toFixed(2)}`,
      aim: "≥ 1 × etcd",
    },
    { name: "create, p50 and p99", value: times(creates), against: peer === undefined ? missing : `etcd: ${times(peer.puts)}`, aim: "p99 ≤ 10 ms" },
    { name: `gets, ${CLIENTS} clients`, value: rate(gets), against: peer === undefined ? missing : `etcd: ${rate(peer.gets)}`, aim: "≥ 15000/s" },
    {
      name: `an event to ${WATCHERS} watchers, p50 and p99`,
      value: `${ms(quantile(delivered, 0.5))}, ${ms(quantile(delivered, 0.99))}`,
      against: `a create: ${times(creates)}`,
      aim: "p99 ≤ 20 ms",
    },
    { name: `memory with ${CREATES} objects of 2 KB`, value: `${full.toFixed(0)} MiB`, against: `idle: ${idle.toFixed(0)} MiB`, aim: "≤ 200 MB" },
  ];
}

function configMap(name: string, value = VALUE): string {
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { value } });
}

/** From the sending of a write to its arrival at each watcher, in milliseconds. */
async function watch(server: Server): Promise<number[]> {
  using writer = await Connection.open(server.kubeconfig);
  await writer.send("POST", MAPS, configMap("watched"));
  const times: number[] = [];
  let sent = 0;
  let seen = 0;
  let all = Promise.withResolvers<void>();
  const onData = (chunk: Buffer): void => {
    if (!chunk.includes('"type":"MODIFIED"')) return;
    times.push(performance.now() - sent);
    if (++seen === WATCHERS) all.resolve();
  };
  const watchers = await Promise.all(Array.from({ length: WATCHERS }, () => Connection.open(server.kubeconfig)));
  const begun = Promise.withResolvers<void>();
  let ready = 0;
  for (const watcher of watchers) {
    let isOpen = false;
    watcher.stream(`${MAPS}?watch=1&fieldSelector=metadata.name%3Dwatched`, (chunk) => {
      if (isOpen) return onData(chunk);
      isOpen = chunk.includes('"type":"ADDED"');
      if (isOpen && ++ready === WATCHERS) begun.resolve();
    });
  }
  await begun.promise;
  for (let event = 0; event < EVENTS; event++) {
    seen = 0;
    all = Promise.withResolvers();
    sent = performance.now();
    await writer.send("PUT", `${MAPS}/watched`, configMap("watched", `${event}${VALUE}`));
    await all.promise;
  }
  for (const watcher of watchers) watcher[Symbol.dispose]();
  return times;
}

/** The same number of clients at a real etcd, with the same certificates and values as big as the stored objects. */
async function etcd(directory: string, pki: string): Promise<{ readonly puts: LoadResult; readonly gets: LoadResult } | undefined> {
  const home = join(directory, "etcd");
  mkdirSync(home, { mode: 0o700 });
  await using peer = await startEtcd(home, { pki, clients: CLIENTS });
  if (peer === undefined) return undefined;
  const value = Buffer.from(configMap("bench", VALUE + "m".repeat(250)));
  const key = (prefix: string, index: number): string => `/registry/configmaps/default/${prefix}-${index}`;
  await load(peer.clients, WARM, (client, index) => client.put(key("warm", index), value));
  const puts = await load(peer.clients, CREATES - WARM, (client, index) => client.put(key("bench", index), value));
  const gets = await load(peer.clients, GETS, (client, index) => client.get(key("warm", index % WARM)));
  return { puts, gets };
}
