import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AgentTask } from "../agent/agent-task.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
  world.work = () => ({ hangs: true });
});
afterEach(() => world[Symbol.asyncDispose]());

function configure(data: Record<string, string>): void {
  const metadata = { namespace: "kubeflow", name: "kfp-launcher" };
  world.objects.set("/api/v1/namespaces/kubeflow/configmaps/kfp-launcher", { apiVersion: "v1", kind: "ConfigMap", metadata, data } as never);
}
const create = (root: string, spec: object) =>
  world.request("POST", "/runs", { display_name: "r", pipeline_spec: spec, runtime_config: { parameters: { n: 1 }, pipeline_root: root } });
/** What the agent of a new run's first task is told. */
async function agentTask(root = "", spec: object = CHAIN): Promise<AgentTask> {
  const before = world.pods().length;
  expect(await create(root, spec)).toMatchObject({ status: 200 });
  await vi.waitFor(() => expect(world.pods().length).toBe(before + 1));
  const pod = world.pods().at(-1) as unknown as { spec: { initContainers: { env: { value: string }[] }[] } };
  return JSON.parse((pod.spec.initContainers[0]?.env[0]?.value ?? "").replaceAll("$$", "$")) as AgentTask;
}

test("the run says where artifacts go, or else its pipeline, its namespace, the platform", async () => {
  const own = { ...CHAIN, defaultPipelineRoot: "gs://of-the-pipeline/" };
  expect((await agentTask()).home).toMatch(/^minio:\/\/mlpipeline\/v2\/artifacts\/chain\//u);
  configure({ defaultPipelineRoot: "s3://of-the-namespace/x?region=eu-west-1" });
  expect(await agentTask()).toMatchObject({ home: expect.stringMatching(/^s3:\/\/of-the-namespace\/x\/chain\//u), store: "region=eu-west-1" });
  expect((await agentTask("", own)).home).toMatch(/^gs:\/\/of-the-pipeline\/chain\//u);
  const task = await agentTask("S3a://of-the-run//?endpoint=localhost:9000", own);
  expect(task).toMatchObject({ home: expect.stringMatching(/^s3:\/\/of-the-run\/chain\//u), store: "endpoint=localhost:9000" });
  expect(task.artifacts["report"]?.uri).toBe(`${task.home}/report`);
});

test("files of this machine are told as what programs find them by", async () => {
  const task = await agentTask("file:///data/runs");
  expect(task.home).toMatch(/^file:\/\/\/data\/runs\/chain\//u);
  const pod = world.pods().at(-1) as unknown as { spec: { containers: { args: string[]; volumeMounts: { mountPath: string }[] }[] } };
  const [main] = pod.spec.containers;
  const told = JSON.parse(main?.args[0] ?? "") as { outputs: { outputFile: string; artifacts: { report: { artifacts: { uri: string }[] } } } };
  expect(told.outputs.artifacts.report.artifacts[0]?.uri).toBe(task.artifacts["report"]?.uri.replace("file:///", "minio://.imports/file/"));
  expect(told.outputs.outputFile).toMatch(/^\/minio\/\.imports\/file\/data\/runs\/chain\/.*\/output_metadata\.json$/u);
  expect(main?.volumeMounts.map(({ mountPath }) => mountPath)).toContain("/minio");
});

test("a root that cannot be is refused, with the place where it stands", async () => {
  configure({ defaultPipelineRoot: "somewhere" });
  expect(await create("", CHAIN)).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining("ConfigMap kubeflow/kfp-launcher: defaultPipelineRoot: ") },
  });
  for (const root of ["oci://image", "https://host/x", "minio://b/../x", "minio://b/%2e%2e/x"])
    expect(await create(root, CHAIN), root).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("runtime_config.pipeline_root") },
    });
});
