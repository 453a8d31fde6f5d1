import { pathOf } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Runs, statesOf } from "../runs.fixture.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";
import { NODES, type ObservedNode } from "./kinds.ts";
import { presentImages } from "./present-images.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
});
afterEach(() => world[Symbol.asyncDispose]());

const [OLD, NEW] = [`sha256:${"0".repeat(64)}`, `sha256:${"1".repeat(64)}`] as const;
function node(name: string, ...images: readonly (readonly string[])[]): void {
  const object: ObservedNode = { apiVersion: "v1", kind: "Node", metadata: { name }, status: { images: images.map((names) => ({ names })) } };
  world.objects.set(pathOf(NODES, { name }), object);
}

test("a name stands for what nodes have under it, however it is written", async () => {
  node("a", [`docker.io/library/python@${OLD}`, "docker.io/library/python:latest"], [`localhost:5000/team/app@${NEW}`, "localhost:5000/team/app:1"]);
  node("b", [`docker.io/library/python@${NEW}`, "python"], ["nothing:1"]);
  const images = await presentImages(world.client);
  expect(images.digestsOf("python")).toEqual([OLD, NEW]);
  expect(images.digestsOf("docker.io/library/python:latest")).toEqual([OLD, NEW]);
  expect(images.digestsOf("localhost:5000/team/app:1")).toEqual([NEW]);
  expect(images.digestsOf(`localhost:5000/team/app@${NEW}`)).toEqual([NEW]);
  for (const unknown of ["python:3", "team/app:1", "nothing:1"]) expect(images.digestsOf(unknown)).toEqual([]);
});

test("a result is shared only while its image is what it was", async () => {
  const runs = new Runs(world);
  const made = { parameters: { Output: 7 }, artifacts: [{ output: "report", name: "report", type: {}, uri: "minio://b/r", metadata: {} }] };
  world.work = (pod) => (pod.metadata.name.includes("first") ? { ...made, imageId: `docker.io/library/python@${OLD}` } : {});
  const first = async (): Promise<[string, string | undefined]> => {
    const run = await runs.complete(CHAIN, { n: 1 });
    return [run.run_id, statesOf(run)["first"]];
  };
  await first();
  // Nobody knows what the name stands for now: as upstream, its being the same is enough.
  expect((await first())[1]).toBe("CACHED");
  node("a", [`docker.io/library/python@${OLD}`, "docker.io/library/python:latest"]);
  expect((await first())[1]).toBe("CACHED");
  node("a", [`docker.io/library/python@${NEW}`, "docker.io/library/python:latest"]);
  const [run, state] = await first();
  expect(state).toBe("SUCCEEDED");
  expect((await runs.why(run, "first")).reasons[0]).toMatchObject({ type: "imageChanged", from: OLD, to: NEW });
});
