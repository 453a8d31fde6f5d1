import { expect, test } from "vitest";
import { decideFeatures, type Machine } from "./features.ts";

const all = { bwrap: "/bin/bwrap", crun: "/bin/crun", ip: "/sbin/ip", nsenter: "/bin/nsenter", iptables: "/sbin/iptables", nft: undefined };
const machine = (changes: Partial<Machine>): Machine => ({
  platform: "linux",
  privileged: true,
  programs: all,
  tryBubblewrap: async () => undefined,
  tryOverlay: async () => true,
  ...changes,
});
const allowed = { isolation: true, network: true, serviceRules: true };

test("root with every program has everything", async () => {
  expect(await decideFeatures(machine({}), allowed)).toEqual({
    bubblewrap: { program: "/bin/bwrap", userNamespace: false, nsenter: "/bin/nsenter" },
    network: { ip: "/sbin/ip", nsenter: "/bin/nsenter", egress: { kind: "iptables", program: "/sbin/iptables" }, nft: undefined },
    imageRuntime: { kind: "crun", crun: { program: "/bin/crun", nsenter: "/bin/nsenter" }, method: "overlay" },
    missing: [],
  });
});

test.each<[name: string, changes: Partial<Machine>, words: string]>([
  ["macOS", { platform: "darwin" }, "Linux only"],
  ["no bubblewrap", { programs: { ...all, bwrap: undefined } }, "apt-get install bubblewrap"],
  ["bubblewrap that does not work", { tryBubblewrap: async () => "No permissions" }, "(No permissions)"],
  ["no user namespaces", { privileged: false, tryBubblewrap: async () => "No permissions" }, "kernel.unprivileged_userns_clone"],
])("%s means plain processes", async (_name, changes, words) => {
  const decision = await decideFeatures(machine(changes), allowed);
  expect(decision.bubblewrap).toBeUndefined();
  expect(decision.network).toBeUndefined();
  expect(decision.missing[0]).toContain(words);
});

test.each([
  ["another user than root", { privileged: false }, "run as root", true],
  ["no iproute2", { programs: { ...all, ip: undefined } }, "apt-get install iproute2", false],
  ["no nsenter", { programs: { ...all, nsenter: undefined } }, "apt-get install util-linux", false],
])("%s means a shared network", async (_name, changes, words, userNamespace) => {
  const decision = await decideFeatures(machine(changes), allowed);
  expect(decision.bubblewrap).toMatchObject({ program: "/bin/bwrap", userNamespace });
  expect(decision.network).toBeUndefined();
  expect(decision.missing).toEqual([expect.stringContaining(words)]);
});

test("without a packet filter pods have a network that ends at this machine", async () => {
  const decision = await decideFeatures(machine({ programs: { ...all, iptables: undefined } }), allowed);
  expect(decision.network?.egress).toBeUndefined();
  expect(decision.missing).toEqual([expect.stringContaining("apt-get install iptables")]);
  const nft = await decideFeatures(machine({ programs: { ...all, iptables: undefined, nft: "/sbin/nft" } }), allowed);
  expect(nft.network?.egress).toEqual({ kind: "nft", program: "/sbin/nft" });
});

test("what the user does not want is not used", async () => {
  expect((await decideFeatures(machine({}), { ...allowed, isolation: false })).bubblewrap).toBeUndefined();
  expect((await decideFeatures(machine({}), { ...allowed, network: false })).network).toBeUndefined();
  const filter = { ...all, nft: "/sbin/nft" };
  expect((await decideFeatures(machine({ programs: filter }), allowed)).network?.nft).toBe("/sbin/nft");
  expect((await decideFeatures(machine({ programs: filter }), { ...allowed, serviceRules: false })).network?.nft).toBeUndefined();
});
