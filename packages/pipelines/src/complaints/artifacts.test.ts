import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AgentPod } from "../agent/agent-pod.fixture.ts";
import type { AgentTask } from "../agent/agent-task.ts";
import type { ArtifactRecord } from "../engine/types.ts";
import { LINE } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
let home: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "artifacts-"));
  world = new World();
  await world.boot();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function finished(namespace: string, uri: string): Promise<string> {
  const body = { display_name: "r", namespace, pipeline_spec: LINE, runtime_config: { parameters: { uri } } };
  const { run_id: id } = (await world.request("POST", "/runs", body)).body as { run_id: string };
  await vi.waitFor(async () => expect((await world.request("GET", `/runs/${id}`)).body).toMatchObject({ state: "SUCCEEDED" }), { timeout: 10_000 });
  return id;
}

const task: AgentTask = {
  ...{ runId: "r", taskId: "t", attempt: 0, inputs: [], home: "minio://mlpipeline/v2/artifacts/p/r/t/0", outputFile: "/out.json" },
  ...{ parameters: {}, artifacts: {} },
};

describe("#9889: artifacts of one namespace can be read from another", () => {
  const uri = "minio://mlpipeline/v2/artifacts/p/r/t/0/model";
  const pod = (namespace: string): AgentPod =>
    new AgentPod({
      ...{ directory: join(home, namespace), stores: world.artifacts, namespace },
      report: (report, from) => world.runner.report(report, from),
    });

  test("not by an importer that names its address, nor by any other way to write that", async () => {
    await world.artifacts.of("team-a").put(uri, Buffer.from("secret"));
    const own = pod("team-a");
    await own.agent("fetch", { ...task, inputs: [{ uri, path: "/minio/x" }] });
    expect(readFileSync(own.path("/minio/x"), "utf8")).toBe("secret");

    const other = pod("team-b");
    for (const way of [
      uri,
      uri.replace("minio", "MINIO"),
      uri.replace("minio", "s3"),
      "minio://team-a/minio/mlpipeline/v2/artifacts/p/r/t/0/model",
    ]) {
      await other.agent("fetch", { ...task, inputs: [{ uri: way, path: "/minio/x" }] });
      expect(existsSync(other.path("/minio/x")), way).toBe(false);
    }
    for (const way of ["minio://x/../../team-a/minio/mlpipeline/v2", "minio://x/%2e%2e/team-a", "minio://x\\..\\team-a/y", "minio://x//team-a"])
      await expect(other.agent("fetch", { ...task, inputs: [{ uri: way, path: "/minio/x" }] }), way).rejects.toThrow("cannot be the URI");
  });

  test("not by a pod that claims to be another namespace's agent", async () => {
    world.work = () => ({ hangs: true });
    const body = { display_name: "r", namespace: "team-a", pipeline_spec: LINE, runtime_config: { parameters: { uri: "minio://b/data" } } };
    const { run_id: runId } = (await world.request("POST", "/runs", body)).body as { run_id: string };
    await expect(pod("team-b").agent("publish", { ...task, runId })).rejects.toThrow(`run ${runId} has no pods in the namespace "team-b"`);
    await pod("team-a").agent("publish", { ...task, runId });
  });

  test("not through the API, with another namespace's own record of that address", async () => {
    await world.artifacts.of("team-a").put(uri, Buffer.from("secret"));
    const made = { output: "model", name: "model", type: { schemaTitle: "system.Model" }, uri: "minio://b/model", metadata: {} };
    world.work = (each) => (each.metadata.name.includes("train") ? { artifacts: [made] } : {});
    await finished("team-b", uri);
    const { artifacts } = (await world.request("GET", "/artifacts?namespace=team-b")).body as { artifacts: { artifact_id: string; uri: string }[] };
    const [imported] = artifacts.filter((each) => each.uri === uri);
    expect(await world.request("GET", `/artifacts/${imported?.artifact_id ?? ""}:download`)).toMatchObject({ status: 404 });
    world.forbidden.add("team-a");
    expect(await world.request("GET", "/artifacts?namespace=team-a")).toMatchObject({ status: 403 });
  });

  test("nor written: a task stores below its own address alone", async () => {
    const { home: own } = task;
    const model = { name: "model", type: {}, uri: `${own}/model`, metadata: {} };
    const told = (to: string, path: string): AgentPod => {
      const each = new AgentPod({ directory: join(home, String(Math.random())), stores: world.artifacts, namespace: "team-a" });
      each.write(task.outputFile, JSON.stringify({ artifacts: { model: { artifacts: [{ uri: to }] } } }));
      each.write(path, "mine");
      return each;
    };
    const below = told(`${own}/elsewhere/`, "/minio/mlpipeline/v2/artifacts/p/r/t/0/elsewhere");
    await below.agent("publish", { ...task, artifacts: { model } });
    expect(below.reports[0]).toMatchObject({ problems: [], artifacts: [{ uri: `${own}/elsewhere`, size: 4 }] });

    for (const [to, path, why] of [
      ["minio://mlpipeline/v2/artifacts/p/r/u/0/model", "/minio/mlpipeline/v2/artifacts/p/r/u/0/model", "may store only below"],
      [`${own}-2/model`, "/minio/mlpipeline/v2/artifacts/p/r/t/0-2/model", "may store only below"],
      ["S3://bucket/model", "/s3/bucket/model", "may store only below"],
      [`${own}/../../u/0/model`, "/minio/x", "cannot be the URI"],
      [`${own}/%2e%2e/model`, "/minio/x", "cannot be the URI"],
    ] as const) {
      const each = told(to, path);
      await each.agent("publish", { ...task, artifacts: { model } });
      expect(each.reports[0]?.problems, to).toEqual([expect.stringContaining(why)]);
      expect(each.reports[0]?.artifacts).toEqual([]);
    }
    // What it names and does not write is recorded as it is.
    for (const to of ["s3://elsewhere/model", "wandb://team/run", "projects/1/models/2"]) {
      const each = told(to, "/tmp/unrelated");
      await each.agent("publish", { ...task, artifacts: { model } });
      expect(each.reports[0]).toMatchObject({ problems: [], artifacts: [{ uri: to }] });
      expect(each.reports[0]?.artifacts[0]?.digest).toBeUndefined();
    }
  });
});

test("#7939: bytes that are not what was stored fail the task that would use them", async () => {
  const pod = new AgentPod({ directory: home, stores: world.artifacts });
  const store = world.artifacts.of("n");
  const { digest } = await store.put("minio://b/x", Buffer.from("one"));
  await pod.agent("fetch", { ...task, inputs: [{ uri: "minio://b/x", path: "/minio/b/x", digest }] });
  await store.put("minio://b/x", Buffer.from("two"));
  const fetch = (): Promise<number> => pod.agent("fetch", { ...task, inputs: [{ uri: "minio://b/x", path: "/minio/b/x", digest }] });
  await expect(fetch()).rejects.toThrow(/the content of minio:\/\/b\/x is not what its task stored: it was sha256:\w+ and is sha256:\w+ now/u);
  await store.delete("minio://b/x");
  await expect(fetch()).rejects.toThrow("and is gone");
});

test("typed metadata stays as it is, from the executor to the API and the next task", async () => {
  const json = fc
    .jsonValue({ stringUnit: "grapheme" })
    .filter((value) => JSON.stringify(value) === JSON.stringify(JSON.parse(JSON.stringify(value))));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string({ unit: "grapheme", maxLength: 8 }), json, { maxKeys: 6 }), async (generated) => {
      const metadata = JSON.parse(
        JSON.stringify({ count: 1, ratio: 0.1, big: 2 ** 53, yes: true, none: null, deep: [{ a: [] }], ...generated }),
      ) as object;
      const directory = mkdtempSync(join(home, "pod-"));
      const pod = new AgentPod({ directory, stores: world.artifacts, namespace: "kubeflow" });
      pod.write("/out.json", JSON.stringify({ artifacts: { model: { artifacts: [{ metadata }] } } }));
      await pod.agent("publish", {
        ...task,
        artifacts: { model: { name: "model", type: { schemaTitle: "system.Model" }, uri: `${task.home}/model`, metadata: {} } },
      });
      const artifacts = pod.reports[0]?.artifacts ?? [];
      world.work = (each) => (each.metadata.name.includes("train") ? { artifacts } : {});
      const id = await finished("kubeflow", `minio://b/${directory.slice(-6)}`);
      const { tasks } = (await world.request("GET", `/runs/${id}/tasks`)).body as {
        tasks: { name: string; pods?: { name: string }[]; outputs?: { artifacts?: { artifacts: ArtifactRecord[] }[] } }[];
      };
      expect(tasks.find(({ name }) => name === "train")?.outputs?.artifacts?.[0]?.artifacts[0]?.metadata).toEqual(metadata);
      const judge = world.pods().find(({ metadata: { name } }) => name === tasks.find((each) => each.name === "judge")?.pods?.[0]?.name);
      const { containers } = (judge as unknown as { spec: { containers: { args: string[] }[] } }).spec;
      const given = JSON.parse((containers[0]?.args[0] ?? "").replaceAll("$$", "$")) as {
        inputs: { artifacts: Record<string, { artifacts: ArtifactRecord[] }> };
      };
      expect(given.inputs.artifacts["model"]?.artifacts[0]?.metadata).toEqual(metadata);
    }),
    { numRuns: 20 },
  );
}, 60_000);
