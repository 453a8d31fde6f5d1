import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Pod } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "./eventually.fixture.ts";
import { logOf, openWorld, podOn, shell, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

const fixture = fileURLToPath(new URL("./crash.fixture.ts", import.meta.url));
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-crash-"));
});
afterEach(async () => {
  {
    await using world = await open();
    await world.clear();
  }
  rmSync(home, { recursive: true, force: true });
});

const directory = (): string => join(home, "node");
const database = (): string => join(home, "store.db");
const open = (): Promise<World> => openWorld({ directory: directory(), database: database(), programs: [] });

async function startFixture(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fixture, directory(), database()], { stdio: ["ignore", "pipe", "pipe"] });
  child.stderr.setEncoding("utf8").on("data", (text: string) => process.stderr.write(text));
  await once(child.stdout, "data");
  return child;
}

async function killNow(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

/** The processes that were started for this test's pods. */
function processesOf(path: string): string[] {
  const isOurs = (pid: string): boolean => {
    try {
      return Number(pid) !== process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
    } catch {
      return false; // It has just ended.
    }
  };
  return existsSync("/proc/self/cmdline") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOurs(name)) : [];
}

const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
const traced = (container: string): string => `echo ${container} >> ${home}/runs-$POD; sleep 0.$((($$ % 4) + 1))`;
const env = [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }];

test("however often the node is killed, each container of a pod that never restarts runs exactly once", async () => {
  {
    await using world = await open();
    await world.stopNode();
    for (const name of names) {
      await world.client.create(
        Pod,
        podOn(name, {
          initContainers: [
            shell(traced("first"), { name: "first", env }),
            { name: "fetch", image: "test/agent", args: ["fetch"] },
            { name: "publish", image: "test/agent:v1", args: ["publish"], restartPolicy: "Always" },
            shell(traced("second"), { name: "second", env }),
          ],
          containers: [shell(traced("main"), { env }), shell(traced("other"), { name: "other", env })],
        }),
      );
    }
  }
  for (let round = 0; round < 12; round++) {
    const child = await startFixture();
    await sleep(Math.random() * 250);
    await killNow(child);
  }
  const last = await startFixture();
  // The world of this process must not open the store while the other has it.
  await untilFiles(() => names.every((name) => runsOf(name).includes("main") && runsOf(name).includes("other")));
  await sleep(700);
  await killNow(last);
  const again = await startFixture();
  await sleep(500);
  await killNow(again);

  await using world = await open();
  for (const name of names) {
    const pod = await untilPhase(world.client, name, "Succeeded");
    expect(runsOf(name)).toEqual(["first", "main", "other", "second"]);
    for (const container of ["first", "second", "main", "other"])
      expect(statusOf(pod, container)).toMatchObject({ restartCount: 0, state: { terminated: { exitCode: 0 } } });
  }
  await eventually(() => processesOf(home)).toEqual([]);
}, 120_000);

function runsOf(pod: string): string[] {
  const path = join(home, `runs-${pod}`);
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").sort() : [];
}

async function untilFiles(condition: () => boolean): Promise<void> {
  await eventually(condition, 60_000).toBe(true);
}

test("a container that runs is taken over, with its log and its end", async () => {
  {
    await using world = await open();
    await world.stopNode();
    await world.client.create(Pod, podOn("a", { containers: [shell(`echo one; while ! [ -e ${home}/go ]; do sleep 0.05; done; echo two; exit 4`)] }));
  }
  const child = await startFixture();
  await untilFiles(() => processesOf(home).length > 0);
  await sleep(300);
  await killNow(child);
  await using world = await open();
  const running = await untilPhase(world.client, "a", "Running");
  expect(statusOf(running).restartCount).toBe(0);
  const log = logOf(world, "a", { follow: true });
  writeFileSync(join(home, "go"), "");
  expect(await log).toBe("one\ntwo\n");
  expect(statusOf(await untilPhase(world.client, "a", "Failed")).state?.terminated).toMatchObject({
    exitCode: 4,
    startedAt: statusOf(running).state?.running?.startedAt,
  });
  expect(world.errors).toEqual([]);
});

test("what a container did while no node ran is learnt", async () => {
  {
    await using world = await open();
    await world.client.create(Pod, podOn("a", { containers: [shell("sleep 0.3; echo done > /dev/termination-log; exit 7")] }));
    await world.client.create(Pod, podOn("gone", { containers: [shell("while :; do sleep 0.05; done")] }));
    await untilPhase(world.client, "a", "Running");
    await untilPhase(world.client, "gone", "Running");
    await world.stopNode();
    await world.client.delete(Pod, { namespace: "default", name: "gone" }, { gracePeriodSeconds: 0 });
    await untilPod(world.client, "gone", (pod) => pod === undefined);
    expect(processesOf(home).length).toBeGreaterThan(0);
  }
  await untilFiles(() => processesOf(`${home}/node`).length === 1);
  await using world = await open();
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 7, message: "done\n" });
  await eventually(() => processesOf(home)).toEqual([]);
  expect(readdirSync(join(directory(), "pods"))).toEqual([pod.metadata.uid]);
});

test("a supervisor that is killed leaves a container that nobody knows the end of", async () => {
  await using world = await open();
  await world.client.create(Pod, podOn("a", { containers: [shell("while :; do sleep 0.05; done")] }));
  await untilPhase(world.client, "a", "Running");
  await world.restartNode();
  const { uid = "" } = (await world.client.get(Pod, { namespace: "default", name: "a" })).metadata;
  const supervisor = readFileSync(join(directory(), "pods", uid, "main.0/supervisor"), "utf8");
  process.kill(-Number.parseInt(supervisor, 10), "SIGKILL");
  await world.restartNode();
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 137, reason: "ContainerStatusUnknown" });
});

test("after a power failure, a container that may have run does not run again", async () => {
  {
    await using world = await open();
    await world.stopNode();
    await world.client.create(Pod, podOn("a", { containers: [shell(`echo ran >> ${home}/runs-a`)] }));
  }
  let uid: string | undefined;
  {
    await using world = await open();
    uid = (await untilPhase(world.client, "a", "Succeeded")).metadata.uid;
    await world.stopNode();
    const pod = await world.client.get(Pod, { namespace: "default", name: "a" });
    await world.client.update(Pod, { ...pod, status: { phase: "Pending" } }, { subresource: "status" });
  }
  // What was flushed is there, all else is not, and the machine has booted again.
  rmSync(join(directory(), "pods", uid ?? ""), { recursive: true });
  const journal = join(directory(), "starts.journal");
  writeFileSync(journal, readFileSync(journal, "utf8").replaceAll(/"boot":"[^"]*"/g, '"boot":"earlier"'));
  await using world = await open();
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 137, reason: "ContainerStatusUnknown" });
  expect(runsOf("a")).toEqual(["ran"]);
});
