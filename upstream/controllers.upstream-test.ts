import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startUpstreamCluster, type UpstreamCluster } from "./cluster.fixture.ts";

// Upstream's controllers as they are published, with their own manifests: definitions, roles, webhooks, leader election.
let cluster: UpstreamCluster;
const kubectl: UpstreamCluster["kubectl"] = (...request) => cluster.kubectl(...request);
const apply = (manifests: string): Promise<string> => kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], manifests);
const refusal = async (manifest: string): Promise<string> => {
  try {
    await kubectl(["create", "-f", "-"], manifest);
  } catch (error) {
    return String(error);
  }
  throw new Error("it was accepted");
};
const available = (namespace: string, deployment: string): Promise<string> =>
  kubectl(["wait", "-n", namespace, "--for=condition=Available", `deployment/${deployment}`, "--timeout=120s"]);

beforeAll(() => {
  cluster = startUpstreamCluster();
});
afterAll(() => cluster[Symbol.dispose]());

const pod = (command: string): string =>
  `{restartPolicy: Never, containers: [{name: main, image: busybox, command: [sh, -c, ${JSON.stringify(command)}]}]}`;

describe("JobSet", () => {
  const jobSet = (name: string, command: string): string => `
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata: {name: ${name}, namespace: default}
spec:
  replicatedJobs:
  - {name: leader, replicas: 1, template: {spec: {parallelism: 1, completions: 1, backoffLimit: 0, template: {spec: ${pod(command)}}}}}
  - {name: workers, replicas: 2, template: {spec: {parallelism: 2, completions: 2, backoffLimit: 0, template: {spec: ${pod(command)}}}}}
`;

  beforeAll(async () => {
    const module = { module: "sigs.k8s.io/jobset", version: "v0.12.0", main: "sigs.k8s.io/jobset" };
    await cluster.install(module, (directory) => kubectl(["kustomize", join(directory, "config/default")]));
    await available("jobset-system", "jobset-controller-manager");
  });

  test("a JobSet becomes Jobs, which run and complete it", async () => {
    await apply(jobSet("completes", "echo $JOB_COMPLETION_INDEX of $(hostname)"));
    await kubectl(["wait", "jobset/completes", "--for=condition=Completed", "--timeout=120s"]);
    const jobs = await kubectl(["get", "jobs", "-l", "jobset.sigs.k8s.io/jobset-name=completes", "-o", "jsonpath={.items[*].metadata.name}"]);
    expect(jobs.split(" ").toSorted()).toEqual(["completes-leader-0", "completes-workers-0", "completes-workers-1"]);
    expect(await kubectl(["logs", "-l", "jobset.sigs.k8s.io/replicatedjob-name=workers", "--prefix=false"])).toMatch(
      /^[01] of completes-workers-[01]-[01]$/mu,
    );
  });

  test("a failing Job fails its JobSet", async () => {
    await apply(jobSet("fails", "exit 3"));
    expect(await kubectl(["wait", "jobset/fails", "--for=condition=Failed", "--timeout=120s"])).toContain("condition met");
  });

  test("its webhook refuses what it finds wrong", async () => {
    expect(await refusal(jobSet("x".repeat(60), "true"))).toContain("job names generated for this JobSet will exceed 63 characters");
  });

  test("it leads by election", async () => {
    expect(await kubectl(["get", "lease", "-n", "jobset-system", "-o", "jsonpath={.items[*].spec.holderIdentity}"])).toContain(
      "jobset-controller-manager",
    );
  });
});

describe("Kubeflow Trainer", () => {
  const runtime = `
apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata: {name: plain, labels: {trainer.kubeflow.org/framework: plain}}
spec:
  mlPolicy: {numNodes: 2}
  template:
    spec:
      replicatedJobs:
      - name: node
        template:
          metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
          spec: {template: {spec: {containers: [{name: node, image: busybox, command: [echo, default]}]}}}
`;

  beforeAll(async () => {
    const main = "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager";
    await cluster.install({ module: "github.com/kubeflow/trainer/v2", version: "v2.2.0", main }, (directory) => {
      // JobSet is there already: the manifests say which line to leave out then.
      const manifests = join(cluster.directory, "trainer");
      cpSync(join(directory, "manifests"), manifests, { recursive: true });
      const kustomization = join(manifests, "overlays/manager/kustomization.yaml");
      chmodSync(dirname(kustomization), 0o755);
      const text = readFileSync(kustomization, "utf8").replace(/^.*third-party\/jobset.*$/mu, "");
      rmSync(kustomization);
      writeFileSync(kustomization, text);
      return kubectl(["kustomize", dirname(kustomization)]);
    });
    await available("kubeflow-system", "kubeflow-trainer-controller-manager");
    await apply(runtime);
  });

  test("a TrainJob becomes a JobSet, which completes it", async () => {
    await apply(`
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: trains, namespace: default}
spec: {runtimeRef: {name: plain}, trainer: {numNodes: 2, command: [sh, -c, "echo node $JOB_COMPLETION_INDEX trains"]}}
`);
    await kubectl(["wait", "trainjob/trains", "--for=condition=Complete", "--timeout=120s"]);
    expect(await kubectl(["get", "jobset", "trains", "-o", "jsonpath={.status.terminalState}"])).toBe("Completed");
    const logs = await kubectl(["logs", "-l", "jobset.sigs.k8s.io/jobset-name=trains"]);
    expect(logs.trim().split("\n").toSorted()).toEqual(["node 0 trains", "node 1 trains"]);
  });

  test("its webhook and the rules of its definition refuse what is wrong", async () => {
    const train = (name: string, spec: string): string => `
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: ${name}, namespace: default}
spec: ${spec}
`;
    expect(await refusal(train("lost", "{runtimeRef: {name: nowhere}}"))).toContain("denied the request");
    expect(await refusal(train("managed", "{runtimeRef: {name: plain}, managedBy: example.com/other}"))).toContain(
      "ManagedBy must be trainer.kubeflow.org/trainjob-controller",
    );
  });
});

describe("Kueue", () => {
  const job = (name: string): string => `
apiVersion: batch/v1
kind: Job
metadata: {name: ${name}, namespace: default, labels: {kueue.x-k8s.io/queue-name: team}}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [sh, -c, "sleep 2; echo done"], resources: {requests: {cpu: 100m}}}]}}
`;

  beforeAll(async () => {
    const module = { module: "sigs.k8s.io/kueue", version: "v0.14.0", main: "sigs.k8s.io/kueue/cmd/kueue" };
    await cluster.install(module, (directory) => kubectl(["kustomize", join(directory, "config/default")]));
    await available("kueue-system", "kueue-controller-manager");
    await apply(`
apiVersion: kueue.x-k8s.io/v1beta1
kind: ResourceFlavor
metadata: {name: default}
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: ClusterQueue
metadata: {name: all}
spec: {namespaceSelector: {}, resourceGroups: [{coveredResources: [cpu], flavors: [{name: default, resources: [{name: cpu, nominalQuota: 100m}]}]}]}
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: LocalQueue
metadata: {name: team, namespace: default}
spec: {clusterQueue: all}
`);
  });

  test("a queued Job waits for quota, is admitted, and completes", async () => {
    await apply(job("first"));
    await kubectl(["wait", "job/first", "--for=jsonpath={.spec.suspend}=false", "--timeout=60s"]);
    await apply(job("second"));
    expect(await kubectl(["get", "job", "second", "-o", "jsonpath={.spec.suspend}"])).toBe("true");
    await kubectl(["wait", "job/first", "job/second", "--for=condition=Complete", "--timeout=120s"]);
    const workloads = await kubectl(["get", "workloads", "-o", 'jsonpath={.items[*].status.conditions[?(@.type=="Finished")].status}']);
    expect(workloads.split(" ")).toEqual(["True", "True"]);
  });

  test("its webhook and its definitions' rules refuse what is wrong", async () => {
    const queue = `
apiVersion: kueue.x-k8s.io/v1beta1
kind: ClusterQueue
metadata: {name: wrong}
spec: {resourceGroups: [{coveredResources: [cpu], flavors: [{name: default, resources: [{name: memory, nominalQuota: 1}]}]}]}
`;
    expect(await refusal(queue)).toMatch(/resourceGroups\[0\]/u);
  });
});
