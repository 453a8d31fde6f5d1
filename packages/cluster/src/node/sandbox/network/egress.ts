import { writeFileSync } from "node:fs";
import type { Egress } from "../features.ts";
import { runProgram } from "../run-program.ts";

/** Lets pods reach what this machine reaches, in its name. Both halves can be repeated. */
export interface EgressRules {
  add(): Promise<void>;
  remove(): Promise<void>;
}

/** The packet filter's rules for the pods of one bridge. */
export function egressRules({ kind, program }: Egress, bridge: string, subnet: string): EgressRules {
  return kind === "iptables" ? iptablesRules(program, bridge, subnet) : nftRules(program, bridge, subnet);
}

function iptablesRules(program: string, bridge: string, subnet: string): EgressRules {
  const rules: readonly (readonly string[])[] = [
    ["nat", "POSTROUTING", "-s", subnet, "!", "-d", subnet, "-j", "MASQUERADE"],
    // A firewall that refuses what it does not know would keep pods from the API and from their name server.
    ["filter", "INPUT", "-i", bridge, "-j", "ACCEPT"],
    ["filter", "FORWARD", "-i", bridge, "-j", "ACCEPT"],
    ["filter", "FORWARD", "-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
  ];
  const call = async (verb: string, [table = "", ...rule]: readonly string[]): Promise<string | undefined> => {
    const { code, stderr } = await runProgram([program, "-w", "-t", table, verb, ...rule]);
    return code === 0 ? undefined : stderr || `exit code ${code}`;
  };
  return {
    async add() {
      const complaints = await Promise.all(rules.map(async (rule) => ((await call("-C", rule)) === undefined ? undefined : call("-I", rule))));
      const complaint = complaints.find((text) => text !== undefined);
      if (complaint !== undefined) throw new Error(complaint);
      allowForwarding();
    },
    async remove() {
      await Promise.all(rules.map((rule) => call("-D", rule)));
    },
  };
}

function nftRules(program: string, bridge: string, subnet: string): EgressRules {
  const script = `add table ip ${bridge}
flush table ip ${bridge}
table ip ${bridge} {
  chain postrouting {
    type nat hook postrouting priority 100
    ip saddr ${subnet} ip daddr != ${subnet} masquerade
  }
}
`;
  return {
    async add() {
      const { code, stderr } = await runProgram([program, "-f", "-"], script);
      if (code !== 0) throw new Error(stderr || `exit code ${code}`);
      allowForwarding();
    },
    async remove() {
      await runProgram([program, "delete", "table", "ip", bridge]);
    },
  };
}

function allowForwarding(): void {
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}
