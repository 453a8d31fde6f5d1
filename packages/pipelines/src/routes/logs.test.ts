import { expect, test } from "vitest";
import { ATTEMPT_LABEL } from "../engine/index.ts";
import { CHAIN } from "../specs.fixture.ts";
import { PODS } from "../runner/kinds.ts";
import { useRest } from "./rest.fixture.ts";

const rest = useRest();

const logOf = async (run: string, task: string, options = ""): Promise<[number, string]> => {
  const response = await rest.send("GET", `/runs/${run}/nodes/${task}/log${options}`);
  return [response.status, await response.text()];
};

/** All pods and their logs go, as they do when somebody cleans up. */
async function removePods(): Promise<void> {
  for (const pod of rest.world.pods()) await rest.world.client.delete(PODS, pod.metadata);
  rest.world.logs.clear();
}

test("logs of all attempts outlive the pods, and are artifacts of their task", async () => {
  const spec = structuredClone(CHAIN) as unknown as { root: { dag: { tasks: Record<string, object> } } };
  Object.assign(spec.root.dag.tasks["first"] ?? {}, { retryPolicy: { maxRetryCount: 1, backoffDuration: "0s" } });
  rest.world.work = (pod) => {
    const attempt = pod.metadata.labels?.[ATTEMPT_LABEL] ?? "";
    return pod.metadata.name.includes("first")
      ? { log: `try ${attempt}\n`, exitCode: attempt === "0" ? 1 : 0, parameters: { Output: 1 } }
      : { log: "" };
  };
  const run = await rest.run({ pipeline_spec: spec });
  await rest.reaches(run, "SUCCEEDED");
  const [first, second] = [await rest.taskId(run, "root.first"), await rest.taskId(run, "root.second")];
  const uri = (await rest.ok("GET", "/artifacts"))["artifacts"] as { uri: string; name: string }[];
  for (const { uri: at } of uri) await expect.poll(() => rest.world.objectStore.stat(at)).toBeDefined();
  await removePods();
  expect(await logOf(run, first)).toEqual([200, "try 1\n"]);
  expect(await logOf(run, first, "?attempt=0&follow=true")).toEqual([200, "try 0\n"]);
  expect(await logOf(run, second)).toEqual([200, ""]);
  expect(await logOf(run, first, "?attempt=2")).toEqual([400, expect.stringContaining("has had none but 0 to 1")]);
  expect(uri.map(({ name }) => name).sort()).toEqual(["executor-logs", "executor-logs", "executor-logs-1"]);
  expect(await rest.ok("GET", `/runs/${run}/nodes/${first}/artifacts/executor-logs:read`)).toEqual({
    data: Buffer.from("try 0\n").toString("base64"),
  });
  expect(await (await rest.send("GET", `/runs/${run}/nodes/${first}/artifacts/executor-logs-1`)).text()).toBe("try 1\n");
});

test("the log of a pod is found by the pod's name, too", async () => {
  rest.world.work = () => ({ log: "hello\n", parameters: { Output: 1 } });
  const run = await rest.run();
  await rest.reaches(run, "SUCCEEDED");
  const pod = rest.world.created.find((name) => name.includes("first")) ?? "";
  const response = await rest.send("GET", `/runs/${run}/nodes/${pod}/log`);
  expect([response.headers.get("content-type"), await response.text()]).toEqual(["text/plain; charset=utf-8", "hello\n"]);
  expect(await logOf(run, "none")).toEqual([404, expect.stringContaining("task none not found")]);
  expect(await logOf(run, await rest.taskId(run, "root"))).toEqual([404, expect.stringContaining("it has no pod")]);
});

test("a run that is terminated keeps what its containers had written", async () => {
  rest.world.work = () => ({ hangs: true, log: "begun\n" });
  const run = await rest.run();
  await rest.reaches(run, "RUNNING");
  const task = await rest.taskId(run, "root.first");
  await expect.poll(async () => (await rest.tasks(run))["root.first"]?.["state"]).toBe("RUNNING");
  await rest.ok("POST", `/runs/${run}:terminate`);
  await rest.reaches(run, "CANCELED");
  await expect.poll(async () => logOf(run, task)).toEqual([200, "begun\n"]);
  await removePods();
  await expect.poll(async () => logOf(run, task)).toEqual([200, "begun\n"]);
});

test("what a process that died had not kept is kept by the next one", async () => {
  rest.world.work = () => ({ log: "hello\n", parameters: { Output: 1 } });
  const run = await rest.run();
  await rest.reaches(run, "SUCCEEDED");
  const first = await rest.taskId(run, "root.first");
  const { artifacts = [] } = (await rest.ok("GET", "/artifacts")) as { artifacts?: { uri: string }[] };
  for (const { uri } of artifacts) {
    await expect.poll(() => rest.world.objectStore.stat(uri)).toBeDefined();
    await rest.world.objectStore.delete(uri);
  }
  await rest.world.boot();
  for (const { uri } of artifacts) await expect.poll(() => rest.world.objectStore.stat(uri)).toBeDefined();
  await removePods();
  expect(await logOf(run, first)).toEqual([200, "hello\n"]);
});

test("a log that is gone says so", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const task = await rest.taskId(run, "root.first");
  await expect.poll(async () => (await rest.tasks(run))["root.first"]?.["state"]).toBe("RUNNING");
  rest.world.logs.clear();
  expect(await logOf(run, task)).toEqual([404, expect.stringMatching(/the log of task first is gone with its pod \S+"/u)]);
});
