import type { Container, Pod } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { findUser, isUserName, UnknownUserError, type ImageUser } from "../images/oci/image-user.ts";
import type { ImageFiles } from "../images/images.ts";
import type { ContainerRoot } from "../sandbox/sandbox.ts";

/** What containers may do that say nothing else: as container runtimes have it, without making devices. */
const CAPABILITIES: readonly string[] = [
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP"],
  ...["SETUID", "SYS_CHROOT"],
];
/** All that the kernel knows but MKNOD, of which a container that is not privileged could make any device: nothing else keeps it from them. */
const ALL: readonly string[] = [
  ...["AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK", "IPC_OWNER", "LEASE"],
  ...["LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT"],
  ...["SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"],
  ...CAPABILITIES,
];

/** Who a container of an image is and what it may do, by its image and its security context. Throws `ConfigError`. */
export function containerRoot(files: ImageFiles, container: Container, pod: Pod): ContainerRoot {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const isPrivileged = own.privileged === true;
  const profile = own.seccompProfile ?? shared.seccompProfile;
  const user = userOf(files, { uid: own.runAsUser ?? shared.runAsUser, gid: own.runAsGroup ?? shared.runAsGroup });
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) === true) refuseRoot(files, own.runAsUser ?? shared.runAsUser);
  return {
    directory: files.directory,
    user: {
      ...user,
      groups: [...new Set([...user.groups, ...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])])],
    },
    readOnly: own.readOnlyRootFilesystem === true,
    capabilities: isPrivileged ? [...ALL, "MKNOD"].map(named) : capabilitiesOf(own.capabilities ?? {}),
    mayGainPrivileges: isPrivileged || own.allowPrivilegeEscalation !== false,
    isPrivileged,
    isFiltered: profile?.type === "RuntimeDefault" && !isPrivileged,
  };
}

function userOf(files: ImageFiles, instead: { readonly uid: number | undefined; readonly gid: number | undefined }): ImageUser {
  try {
    return findUser(files.directory, files.user, instead);
  } catch (error) {
    if (error instanceof UnknownUserError) throw new ConfigError(error.message, { cause: error });
    throw error;
  }
}

/** In the kubelet's words. */
function refuseRoot(files: ImageFiles, runAsUser: number | undefined): void {
  if (runAsUser === 0) throw new ConfigError("container's runAsUser breaks non-root policy");
  if (runAsUser !== undefined) return;
  if (isUserName(files.user))
    throw new ConfigError(`container has runAsNonRoot and image has non-numeric user (${files.user}), cannot verify user is non-root`);
  if (findUser(files.directory, files.user).uid === 0) throw new ConfigError("container has runAsNonRoot and image will run as root");
}

function capabilitiesOf({ add = [], drop = [] }: { readonly add?: readonly string[]; readonly drop?: readonly string[] }): readonly string[] {
  const plain = (names: readonly string[]): readonly string[] => names.map((name) => name.toUpperCase().replace(/^CAP_/u, ""));
  const [added, dropped] = [plain(add), plain(drop)];
  const before = added.includes("ALL") ? ALL : CAPABILITIES;
  const kept = dropped.includes("ALL") ? [] : before.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...added.filter((name) => name !== "ALL")])].filter((name) => ALL.includes(name)).map(named);
}

function named(capability: string): string {
  return `CAP_${capability}`;
}
