import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { bubblewrapCommand } from "./bubblewrap.ts";
import type { ViewEntry } from "./host-view.ts";
import type { ImageRuntime } from "./oci/rooted-command.ts";
import { tryOverlay } from "./oci/root-directory.ts";
import { runProgram } from "./run-program.ts";

/** What was found on this machine; where something is missing, a sentence that says why and what brings it. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  /** This program may make network namespaces and bridges, and needs no user namespace. */
  readonly privileged: boolean;
  readonly programs: Readonly<Record<ProgramName, string | undefined>>;
  /** Runs bubblewrap once; undefined if that works, else its complaint. */
  tryBubblewrap(program: string, userNamespace: boolean): Promise<string | undefined>;
  /** Mounts a container's root over an image's files once; false if that does not work where containers are kept. */
  tryOverlay(): Promise<boolean>;
}

type ProgramName = "bwrap" | "crun" | "ip" | "nsenter" | "iptables" | "nft";

/** How bubblewrap is to be used. */
export interface Bubblewrap {
  readonly program: string;
  /** Where this program is not root, a user namespace gives bubblewrap the rights it needs. */
  readonly userNamespace: boolean;
  /** Enters what bubblewrap has made. */
  readonly nsenter: string | undefined;
}

/** The programs that make the pods' network. */
export interface NetworkPrograms {
  readonly ip: string;
  readonly nsenter: string;
  readonly egress: Egress | undefined;
  /** What leads services' addresses to their endpoints. */
  readonly nft: string | undefined;
}

/** What the sandboxes will use. */
export interface Decision {
  readonly bubblewrap?: Bubblewrap | undefined;
  readonly network?: NetworkPrograms | undefined;
  readonly imageRuntime?: ImageRuntime | undefined;
  readonly missing: readonly string[];
}

/** The program that lets pods reach the world beyond this machine. */
export interface Egress {
  readonly kind: "iptables" | "nft";
  readonly program: string;
}

const ALLOW_NAMESPACES =
  "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1 on Debian, " +
  "sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu), or run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN";

/** What the user lets the sandboxes use. */
interface Allowed {
  readonly isolation: boolean;
  readonly network: boolean;
  readonly serviceRules: boolean;
}

/** Decides how pods are isolated here, and what runs images. `allowed` forbids what the user does not want. */
export async function decideFeatures(machine: Machine, allowed: Allowed): Promise<Decision> {
  const decision = await decideIsolation(machine, allowed);
  const imageRuntime = allowed.isolation ? await decideImageRuntime(machine) : undefined;
  return imageRuntime === undefined
    ? {
        ...decision,
        missing: [...decision.missing, "images that are loaded or pulled cannot run: that needs namespaces, and crun as root or bubblewrap"],
      }
    : { ...decision, imageRuntime };
}

/** Root has crun; others, and root without it, have bubblewrap in a user namespace. */
async function decideImageRuntime({ platform, privileged, programs, ...machine }: Machine): Promise<ImageRuntime | undefined> {
  const { bwrap, crun, nsenter } = programs;
  if (platform !== "linux") return undefined;
  if (privileged && crun !== undefined && nsenter !== undefined)
    return { kind: "crun", crun: { program: crun, nsenter }, method: (await machine.tryOverlay()) ? "overlay" : "copy" };
  if (bwrap === undefined || (await machine.tryBubblewrap(bwrap, true)) !== undefined) return undefined;
  return { kind: "bubblewrap", program: bwrap };
}

async function decideIsolation(machine: Machine, allowed: Allowed): Promise<Decision> {
  const { bwrap, ip, nsenter, iptables, nft } = machine.programs;
  if (!allowed.isolation) return plain("containers run as plain processes because the configuration says so");
  if (machine.platform !== "linux") return plain("containers run as plain processes: namespaces exist on Linux only");
  if (bwrap === undefined) return plain("containers run as plain processes: bubblewrap is not installed: apt-get install bubblewrap");
  const userNamespace = !machine.privileged;
  const complaint = await machine.tryBubblewrap(bwrap, userNamespace);
  if (complaint !== undefined) {
    return plain(
      `containers run as plain processes: bubblewrap does not work here (${complaint}): ${userNamespace ? ALLOW_NAMESPACES : "run outside of a container"}`,
    );
  }
  const bubblewrap = { program: bwrap, userNamespace, nsenter };
  const shared = (why: string): Decision => ({
    bubblewrap,
    missing: [`pods share this machine's network and have no names of their own: ${why}`],
  });
  if (!allowed.network) return shared("the configuration says so");
  if (!machine.privileged) return shared("only root can make network namespaces: run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN");
  if (ip === undefined) return shared("iproute2 is not installed: apt-get install iproute2");
  if (nsenter === undefined) return shared("util-linux is not installed: apt-get install util-linux");
  const egress: Egress | undefined =
    iptables !== undefined ? { kind: "iptables", program: iptables } : nft !== undefined ? { kind: "nft", program: nft } : undefined;
  return {
    bubblewrap,
    network: { ip, nsenter, egress, nft: allowed.serviceRules ? nft : undefined },
    missing: egress === undefined ? ["pods cannot reach beyond this machine: iptables is not installed: apt-get install iptables"] : [],
  };
}

function plain(why: string): Decision {
  return { missing: [why, "pods share this machine's network and have no names of their own: that needs namespaces"] };
}

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Looks at this machine. `path` is where its programs are; `view` is what containers are to see of it; `directory` is where they are kept. */
export function probeMachine(path: string, view: readonly ViewEntry[], directory: string): Machine {
  const directories = [...new Set([...path.split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])].filter((directory) => directory !== "");
  const find = (name: string): string | undefined => directories.map((directory) => join(directory, name)).find(isExecutable);
  return {
    platform: process.platform,
    privileged: process.platform === "linux" && process.geteuid?.() === 0 && hasCapabilities(CAP_NET_ADMIN, CAP_SYS_ADMIN),
    programs: {
      ...{ bwrap: find("bwrap"), crun: find("crun"), ip: find("ip") },
      ...{ nsenter: find("nsenter"), iptables: find("iptables"), nft: find("nft") },
    },
    tryOverlay: () => tryOverlay(directory),
    async tryBubblewrap(program, userNamespace) {
      const argv = bubblewrapCommand({
        ...{ program, userNamespace, view, hidden: [], mounts: [], env: {} },
        ...{ hostname: "probe", workingDirectory: "/", argv: ["true"] },
      });
      const { code, stderr } = await runProgram(argv);
      return code === 0 ? undefined : stderr || `exit code ${code}`;
    },
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasCapabilities(...wanted: readonly bigint[]): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/mu.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  return wanted.every((bit) => (effective & (1n << bit)) !== 0n);
}
