import type { ApiError, UnknownObject } from "@sluice/kubernetes";
import { describe, expect, test } from "vitest";
import type { World } from "../api-server/world.fixture.ts";
import type { AdmissionNotes, AdmissionRequest } from "./admission.ts";
import { findingsOf, showFindings } from "./pod-security/checks.ts";
import { podSecurity } from "./pod-security.ts";
import { coreObject, openPolicyWorld, podObject } from "./policy-world.fixture.ts";

const namespaces = "/api/v1/namespaces";
const pods = `${namespaces}/team/pods`;
const labelled = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [`pod-security.kubernetes.io/${name}`, value]));

async function worldWith(labels: Record<string, string>): Promise<World> {
  const world = await openPolicyWorld();
  const metadata = { name: "team", labels: labelled(labels) };
  await world.send("POST", namespaces, { body: { ...coreObject("Namespace", "team"), metadata } });
  return world;
}
const SAFE = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
const withContext = (securityContext: object, spec: object = {}): UnknownObject =>
  podObject("p", { containers: [{ name: "c", image: "x", securityContext }], ...spec });

test("a restricted namespace tells a plain pod everything that it lacks", async () => {
  const world = await worldWith({ enforce: "restricted" });
  const error: ApiError = await world.refusal("POST", pods, { body: podObject("p") });
  expect(error).toMatchObject({ reason: "Forbidden" });
  expect(error.message).toBe(
    'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  expect((await world.respond("POST", pods, { body: withContext(SAFE) })).warnings).toBeUndefined();
});

test("a template is let in with a warning; of its pods only those that are sound", async () => {
  const world = await worldWith({ enforce: "baseline" });
  const template = { metadata: { labels: { a: "b" } }, spec: { hostNetwork: true, containers: [{ name: "c", image: "x" }] } };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: { selector: { matchLabels: { a: "b" } }, template },
  };
  const { warnings } = await world.respond("POST", "/apis/apps/v1/namespaces/team/deployments", { body: deployment });
  expect(warnings).toEqual(['would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)']);
});

test("warnings and annotations follow their own labels, enforcement its own", async () => {
  const world = await worldWith({ enforce: "privileged", warn: "baseline", "warn-version": "v1.20", audit: "restricted" });
  const { warnings } = await world.respond("POST", pods, { body: withContext({ ...SAFE, privileged: true }) });
  expect(warnings).toEqual(['would violate PodSecurity "baseline:v1.20": privileged (container "c" must not set securityContext.privileged=true)']);

  const notes: [string, string][] = [];
  const told: AdmissionNotes = { warn: () => {}, annotate: (key, value) => notes.push([key, value]) };
  const request = {
    operation: "CREATE",
    resource: { group: "", plural: "pods" },
    namespace: "team",
    name: "p",
    object: podObject("p", { hostPID: true }),
  };
  await podSecurity({ store: world.store }).validate?.(request as unknown as AdmissionRequest, told);
  expect(notes).toEqual([
    [
      "pod-security.kubernetes.io/audit-violations",
      expect.stringMatching(/^would violate PodSecurity "restricted:latest": host namespaces \(hostPID=true\)/),
    ],
    ["pod-security.kubernetes.io/enforce-policy", "privileged:latest"],
  ]);
});

test("labels that mean nothing are refused; who makes a namespace stricter hears of the pods in it", async () => {
  const world = await worldWith({});
  for (const name of ["b", "a", "c"]) await world.send("POST", pods, { body: { ...podObject(name, name === "c" ? { hostIPC: true } : {}) } });
  const patch = (labels: Record<string, string>): object => ({
    contentType: "application/merge-patch+json",
    body: { metadata: { labels: labelled(labels) } },
  });
  expect((await world.refusal("PATCH", `${namespaces}/team`, patch({ enforce: "strict" }))).message).toContain(
    'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
  );
  expect((await world.refusal("PATCH", `${namespaces}/team`, patch({ "warn-version": "1.2" }))).message).toContain('must be "latest" or "v1.x"');
  expect((await world.respond("PATCH", `${namespaces}/team`, patch({ enforce: "restricted" }))).warnings).toEqual([
    'existing pods in namespace "team" violate the new PodSecurity enforce level "restricted:latest"',
    "a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile",
    "c: host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile",
  ]);
  expect((await world.respond("PATCH", `${namespaces}/team`, patch({ enforce: "baseline" }))).warnings).toBeUndefined();
});

test("a pod that is there may change, though not its image", async () => {
  const world = await worldWith({});
  await world.send("POST", pods, { body: podObject("p") });
  const merge = (body: object): object => ({ contentType: "application/strategic-merge-patch+json", body });
  await world.send("PATCH", `${namespaces}/team`, merge({ metadata: { labels: labelled({ enforce: "restricted" }) } }));
  await world.send("PATCH", `${pods}/p`, merge({ metadata: { labels: { a: "b" } } }));
  expect((await world.refusal("PATCH", `${pods}/p`, merge({ spec: { containers: [{ name: "c", image: "other" }] } }))).message).toContain(
    "violates PodSecurity",
  );
});

describe("forbids", () => {
  const tell = (level: "baseline" | "restricted", minor: number, pod: UnknownObject, annotations: Record<string, string> = {}): string =>
    showFindings(findingsOf({ level, minor }, { annotations }, pod["spec"] as never));
  const handler = { httpGet: { host: "1.2.3.4", port: 1 } };

  test.each<[string, "baseline" | "restricted", number, UnknownObject, string]>([
    [
      "host ports",
      "baseline",
      0,
      podObject("p", { containers: [{ name: "c", ports: [{ hostPort: 80 }, { hostPort: 443 }] }] }),
      'hostPort (container "c" uses hostPorts 443, 80)',
    ],
    ["host paths", "baseline", 0, podObject("p", { volumes: [{ name: "v", hostPath: {} }] }), 'hostPath volumes (volume "v")'],
    [
      "added capabilities",
      "baseline",
      0,
      withContext({ capabilities: { add: ["NET_RAW", "CHOWN"] } }),
      'non-default capabilities (container "c" must not include "NET_RAW" in securityContext.capabilities.add)',
    ],
    [
      "unmasked proc",
      "baseline",
      34,
      withContext({ procMount: "Unmasked" }, { hostUsers: false }),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    ["unmasked proc, but not to pods with users of their own", "baseline", 35, withContext({ procMount: "Unmasked" }, { hostUsers: false }), ""],
    [
      "SELinux users and types",
      "baseline",
      30,
      withContext({ seLinuxOptions: { type: "container_engine_t", user: "u" } }),
      'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "container_engine_t"; user may not be set)',
    ],
    [
      "AppArmor profiles",
      "baseline",
      0,
      withContext({ appArmorProfile: { type: "Unconfined" } }, { securityContext: { appArmorProfile: { type: "Unconfined" } } }),
      'forbidden AppArmor profile (pod and container "c" must not set AppArmor profile type to "Unconfined")',
    ],
    [
      "unconfined system calls",
      "baseline",
      19,
      withContext({ seccompProfile: { type: "Unconfined" } }),
      'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      "sysctls of later versions",
      "baseline",
      28,
      podObject("p", { securityContext: { sysctls: [{ name: "net.ipv4.tcp_fin_timeout" }, { name: "kernel.x" }] } }),
      "forbidden sysctls (net.ipv4.tcp_fin_timeout, kernel.x)",
    ],
    [
      "processes of the Windows host",
      "baseline",
      0,
      withContext({ windowsOptions: { hostProcess: true } }),
      'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      "hosts in probes and lifecycle hooks",
      "baseline",
      34,
      podObject("p", { containers: [{ name: "c", livenessProbe: handler, lifecycle: { preStop: { tcpSocket: { host: "h", port: 1 } } } }] }),
      'probe or lifecycle host (container "c" uses probe or lifecycle hosts "1.2.3.4", "h")',
    ],
    [
      "other volumes",
      "restricted",
      Infinity,
      withContext(SAFE, {
        volumes: [
          { name: "n", nfs: {} },
          { name: "h", hostPath: {} },
          { name: "ok", emptyDir: {} },
        ],
      }),
      'restricted volume types (volumes "n", "h" use restricted volume types "hostPath", "nfs")',
    ],
    [
      "root",
      "restricted",
      Infinity,
      withContext({ ...SAFE, runAsUser: 0, runAsNonRoot: false }),
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false), runAsUser=0 (container "c" must not set runAsUser=0)',
    ],
    [
      "capabilities that are not dropped",
      "restricted",
      Infinity,
      withContext({ ...SAFE, capabilities: { add: ["CHOWN", "NET_BIND_SERVICE"] } }),
      'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "CHOWN" in securityContext.capabilities.add)',
    ],
    ["nothing of Windows that it does not have", "restricted", 25, withContext({ runAsNonRoot: true }, { os: { name: "windows" } }), ""],
  ])("%s", (_, level, minor, pod, told) => expect(tell(level, minor, pod)).toBe(told));

  test("profiles in annotations, as old versions had them", () => {
    const annotations = {
      "container.apparmor.security.beta.kubernetes.io/c": "unconfined",
      "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
    };
    expect(tell("baseline", 18, podObject("p"), annotations)).toBe(
      'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined""), seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    );
  });
});
