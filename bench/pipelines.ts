import { setTimeout as sleep } from "node:timers/promises";
import { createPipelinesClient } from "@sluice/sdk";
import { bareProcess, bareProcesses } from "./bare-processes.ts";
import { chain, loop, timeRun } from "./no-op-pipelines.ts";
import { installPeers, peers, timePeer, type Shape } from "./python-peers.ts";
import { startServer, temporaryDirectory } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const CHAIN = 200;
const FAN = 1000;
const WIDE_FAN = 10_000;
const CACHED = 1000;
const ROUNDS = 3;
const SANDBOXES = ["none", "auto"] as const;
/** How often a client asks how it goes, while all that runs. */
const ASK_MS = 100;

/** What one step costs, in milliseconds, of each shape and of a run that was all done before. */
interface Costs {
  readonly name: string;
  readonly chain: number;
  readonly fan: number;
  readonly again: number | undefined;
}

interface OwnCosts extends Costs {
  /** From the end of one step of the chain to the end of the next. */
  readonly gap: number;
  readonly cachedFan: number;
  readonly cachedChain: number;
  readonly answers: readonly number[];
  /** Of the widest loop, where it was measured. */
  readonly wide: number | undefined;
}

/** The same pipelines of steps that do nothing on ours, with and without sandbox, on its peers, and as bare processes. */
export async function benchPipelines(): Promise<readonly Measurement[]> {
  const missing = installPeers();
  const bare: number[] = [];
  for (let step = 0; step < CHAIN; step++) bare.push(await bareProcess());
  const bareStep = quantile(bare, 0.5);
  const bareFan = (await bareProcesses(FAN)) / FAN;
  const own: OwnCosts[] = [];
  for (const sandbox of SANDBOXES) own.push(await timeOwn(sandbox));
  const others = missing === undefined ? peers.map(timeOther) : [];
  return [
    ...own.flatMap((costs, index) => ownRows(costs, { bareStep, bareFan, isSandboxed: SANDBOXES[index] === "auto" })),
    ...others.flatMap((other) => own.flatMap((costs) => comparison(other, costs))),
    ...(missing === undefined ? [] : [{ name: "peers", value: "not measured", against: missing, aim: "" }]),
  ];
}

async function timeOwn(sandbox: (typeof SANDBOXES)[number]): Promise<OwnCosts> {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path, { sandbox });
  const client = createPipelinesClient({ host: server.url });
  await timeRun(client, chain(20));
  await timeRun(client, loop(100));
  const { elapsed, ends } = await timeRun(client, chain(CHAIN));
  const gaps = ends.slice(1).map((end, index) => end - (ends[index] ?? end));

  const stop = new AbortController();
  const asking = askMeanwhile(server.url, stop.signal);
  const fan = await timeRun(client, loop(FAN));
  const wide = sandbox === "none" ? (await timeRun(client, loop(WIDE_FAN))).elapsed : undefined;
  stop.abort();
  const answers = await asking;

  const cached = async (what: ReturnType<typeof chain>): Promise<number> => {
    await timeRun(client, what);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push((await timeRun(client, what)).elapsed);
    return quantile(times, 0.5);
  };
  const cachedFan = await cached(loop(CACHED, { isCached: true }));
  const cachedChain = await cached(chain(CACHED, { isCached: true }));
  const name = sandbox === "auto" ? "Sluice" : "Sluice without sandbox";
  return {
    ...{ name, chain: elapsed / CHAIN, fan: fan.elapsed / FAN, again: cachedChain / CACHED },
    ...{ gap: quantile(gaps, 0.5), cachedFan, cachedChain, answers, wide },
  };
}

/** How long the API takes to answer while others keep it busy. */
async function askMeanwhile(url: string, signal: AbortSignal): Promise<readonly number[]> {
  const answers: number[] = [];
  while (!signal.aborted) {
    const started = performance.now();
    await (await fetch(`${url}/apis/v2beta1/experiments`)).arrayBuffer();
    answers.push(performance.now() - started);
    await sleep(ASK_MS);
  }
  return answers;
}

function timeOther(peer: (typeof peers)[number]): Costs {
  const perStep = (shape: Shape): { readonly first: number; readonly again: number | undefined } => {
    const { first, again } = timePeer(peer, shape);
    return { first: first / peer.steps[shape], again: again === undefined ? undefined : again / peer.steps[shape] };
  };
  const [one, side] = [perStep("chain"), perStep("fan")];
  return { name: peer.name, chain: one.first, fan: side.first, again: one.again };
}

function ownRows(
  { name, gap, fan, wide, cachedFan, cachedChain, answers }: OwnCosts,
  { bareStep, bareFan, isSandboxed }: { readonly bareStep: number; readonly bareFan: number; readonly isSandboxed: boolean },
): readonly Measurement[] {
  const perSecond = (cost: number): string => `${(1000 / cost).toFixed(0)}/s`;
  const answered = `${ms(quantile(answers, 0.5))}, ${ms(quantile(answers, 0.99))}`;
  return [
    {
      name: `${name}: overhead of a step, p50 of ${CHAIN}`,
      value: ms(gap - bareStep),
      against: `the bare process: ${ms(bareStep)}`,
      aim: isSandboxed ? "≤ 20 ms" : "≤ 5 ms",
    },
    {
      name: `${name}: steps of a loop of ${FAN}`,
      value: perSecond(fan),
      against: `bare processes, 2 at a time: ${perSecond(bareFan)}`,
      aim: isSandboxed ? "" : "≥ 450/s",
    },
    ...(wide === undefined
      ? []
      : [
          {
            name: `${name}: a loop of ${WIDE_FAN}`,
            value: `${(wide / 1000).toFixed(1)} s`,
            against: `bare processes: ${((bareFan * WIDE_FAN) / 1000).toFixed(1)} s`,
            aim: "≤ 60 s",
          },
        ]),
    { name: `${name}: the API meanwhile, p50 and p99`, value: answered, against: "", aim: "" },
    { name: `${name}: a cached loop, and a cached chain, of ${CACHED}`, value: `${ms(cachedFan)}, ${ms(cachedChain)}`, against: "", aim: "≤ 100 ms" },
  ];
}

const AIMS: Readonly<Record<string, string>> = { Metaflow: "≥ 150×", "kfp.local": "≥ 20×" };

function comparison(other: Costs, own: OwnCosts): readonly Measurement[] {
  const row = (what: string, theirs: number, ours: number): Measurement => ({
    name: `${own.name} and ${other.name}: ${what}`,
    value: `${ms(ours)} a step, ${(theirs / ours).toFixed(0)}×`,
    against: `${ms(theirs)} a step`,
    aim: AIMS[other.name] ?? "",
  });
  return [
    row("chain", other.chain, own.chain),
    row("side by side", other.fan, own.fan),
    ...(other.again === undefined || own.again === undefined ? [] : [row("done before", other.again, own.again)]),
  ];
}
