import type { AppArmorProfile, LifecycleHandler, PodSpec, Probe, SeccompProfile, SELinuxOptions } from "@sluice/kubernetes";
import { containersOf, hasOwnUsers, named, namesOf, plural, quoted, setters, sorted, type Finding, type PodSecurityCheck } from "./finding.ts";

const APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/";
const CAPABILITIES: readonly string[] = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];
const SELINUX_TYPES: readonly string[] = ["", "container_t", "container_init_t", "container_kvm_t"];
/** The sysctls that harm nobody else, and the minor version that found so. */
const SYSCTLS: Readonly<Record<string, number>> = {
  "kernel.shm_rmid_forced": 0,
  "net.ipv4.ip_local_port_range": 0,
  "net.ipv4.tcp_syncookies": 0,
  "net.ipv4.ping_group_range": 0,
  "net.ipv4.ip_unprivileged_port_start": 0,
  "net.ipv4.ip_local_reserved_ports": 27,
  "net.ipv4.tcp_keepalive_time": 29,
  "net.ipv4.tcp_fin_timeout": 29,
  "net.ipv4.tcp_keepalive_intvl": 29,
  "net.ipv4.tcp_keepalive_probes": 29,
  "net.ipv4.tcp_rmem": 32,
  "net.ipv4.tcp_wmem": 32,
};

/** What the level `baseline` checks, by id. */
export const baselineChecks: readonly PodSecurityCheck[] = [
  {
    id: "appArmorProfile",
    find: (spec, { annotations }) => {
      const isBad = (profile: AppArmorProfile | undefined): profile is AppArmorProfile =>
        profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
      const own = spec.securityContext?.appArmorProfile;
      const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.appArmorProfile));
      const types = sorted([own, ...bad.map(({ securityContext }) => securityContext?.appArmorProfile)].filter(isBad).map(({ type }) => type));
      const noted = Object.entries(annotations).filter(
        ([key, value]) => key.startsWith(APP_ARMOR_ANNOTATION) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"),
      );
      const values = [...types, ...sorted(noted.map(([key, value]) => `${key}=${JSON.stringify(value)}`))];
      if (values.length === 0) return undefined;
      const who = setters(
        isBad(own),
        bad.map(({ name }) => name),
      );
      const all = [...(who === undefined ? [] : [who]), ...(noted.length === 0 ? [] : [plural("annotation", noted)])].join(" and ");
      return { reason: plural("forbidden AppArmor profile", values), detail: `${all} must not set AppArmor profile type to ${quoted(values)}` };
    },
  },
  {
    id: "capabilities_baseline",
    find: (spec) => {
      const added = (of: ReturnType<typeof containersOf>[number]): string[] =>
        (of.securityContext?.capabilities?.add ?? []).filter((one) => !CAPABILITIES.includes(one));
      const bad = namesOf(spec, (one) => added(one).length > 0);
      if (bad.length === 0) return undefined;
      const which = quoted(sorted(containersOf(spec).flatMap(added)));
      return {
        reason: "non-default capabilities",
        detail: `${named("container", bad)} must not include ${which} in securityContext.capabilities.add`,
      };
    },
  },
  {
    id: "hostNamespaces",
    find: (spec) => {
      const set = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field] === true);
      return set.length === 0 ? undefined : { reason: "host namespaces", detail: set.map((field) => `${field}=true`).join(", ") };
    },
  },
  {
    id: "hostPathVolumes",
    find: ({ volumes = [] }) => {
      const bad = volumes.filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
      return bad.length === 0 ? undefined : { reason: "hostPath volumes", detail: named("volume", bad) };
    },
  },
  {
    id: "hostPorts",
    find: (spec) => {
      const portsOf = ({ ports = [] }: ReturnType<typeof containersOf>[number]): string[] =>
        ports.flatMap(({ hostPort = 0 }) => (hostPort === 0 ? [] : [String(hostPort)]));
      const bad = namesOf(spec, (one) => portsOf(one).length > 0);
      if (bad.length === 0) return undefined;
      const ports = sorted(containersOf(spec).flatMap(portsOf));
      return { reason: "hostPort", detail: `${named("container", bad)} ${uses(bad)} ${plural("hostPort", ports)} ${ports.join(", ")}` };
    },
  },
  {
    id: "hostProbesAndHostLifecycle",
    since: 34,
    find: (spec) => {
      const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: ReturnType<typeof containersOf>[number]): string[] =>
        [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap(hostsOfHandler);
      const bad = sorted(namesOf(spec, (one) => hostsOf(one).length > 0));
      if (bad.length === 0) return undefined;
      const hosts = sorted(containersOf(spec).flatMap(hostsOf));
      return {
        reason: "probe or lifecycle host",
        detail: `${named("container", bad)} ${uses(bad)} ${named("probe or lifecycle host", hosts)}`,
      };
    },
  },
  {
    id: "privileged",
    find: (spec) => {
      const bad = namesOf(spec, ({ securityContext }) => securityContext?.privileged === true);
      return bad.length === 0
        ? undefined
        : { reason: "privileged", detail: `${named("container", bad)} must not set securityContext.privileged=true` };
    },
  },
  { id: "procMount", find: (spec, context) => (hasOwnUsers(spec, context) ? undefined : procMount(spec)) },
  {
    id: "seLinuxOptions",
    find: (spec, { minor }) => {
      const types = minor >= 31 ? [...SELINUX_TYPES, "container_engine_t"] : SELINUX_TYPES;
      const isBad = ({ type = "", user = "", role = "" }: SELinuxOptions = {}): boolean => !types.includes(type) || user !== "" || role !== "";
      const own = spec.securityContext?.seLinuxOptions;
      const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions));
      const who = setters(
        isBad(own),
        bad.map(({ name }) => name),
      );
      if (who === undefined) return undefined;
      const all = [own, ...bad.map(({ securityContext }) => securityContext?.seLinuxOptions)];
      const badTypes = sorted(all.flatMap((one) => one?.type ?? []).filter((type) => !types.includes(type)));
      const what = [
        ...(badTypes.length === 0 ? [] : [named("type", badTypes)]),
        ...(all.some((one) => (one?.user ?? "") !== "") ? ["user may not be set"] : []),
        ...(all.some((one) => (one?.role ?? "") !== "") ? ["role may not be set"] : []),
      ];
      return { reason: "seLinuxOptions", detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}` };
    },
  },
  {
    id: "seccompProfile_baseline",
    find: (spec, { annotations, minor }) => {
      if (minor >= 19) return seccompSetToOther(spec);
      const keys = [SECCOMP_POD_ANNOTATION, ...containersOf(spec).map(({ name }) => `${SECCOMP_ANNOTATION}${name}`)];
      const bad = sorted(
        keys.flatMap((key) => {
          const value = annotations[key];
          const isFine = value === undefined || value === "runtime/default" || value === "docker/default" || value.startsWith("localhost/");
          return isFine ? [] : [`${key}=${JSON.stringify(value)}`];
        }),
      );
      return bad.length === 0 ? undefined : { reason: "seccompProfile", detail: `forbidden ${plural("annotation", bad)} ${bad.join(", ")}` };
    },
  },
  {
    id: "sysctls",
    find: ({ securityContext }, { minor }) => {
      const bad = (securityContext?.sysctls ?? [])
        .map(({ name }) => name)
        .filter((name) => minor < (SYSCTLS[name] ?? Infinity) || !(name in SYSCTLS));
      return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
    },
  },
  {
    id: "windowsHostProcess",
    find: (spec) => {
      const who = setters(
        spec.securityContext?.windowsOptions?.hostProcess === true,
        namesOf(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true),
      );
      return who === undefined ? undefined : { reason: "hostProcess", detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` };
    },
  },
];

/** `/proc` is mounted in any way but the usual. */
export function procMount(spec: PodSpec): Finding | undefined {
  const isBad = (type: string | undefined): type is string => type !== undefined && type !== "Default";
  const bad = namesOf(spec, ({ securityContext }) => isBad(securityContext?.procMount));
  if (bad.length === 0) return undefined;
  const types = sorted(containersOf(spec).flatMap(({ securityContext }) => (isBad(securityContext?.procMount) ? [securityContext.procMount] : [])));
  return { reason: "procMount", detail: `${named("container", bad)} must not set securityContext.procMount to ${quoted(types)}` };
}

/** A seccomp profile is set, and to none that confines. */
export function seccompSetToOther(spec: PodSpec): Finding | undefined {
  const own = spec.securityContext?.seccompProfile;
  const bad = containersOf(spec).filter(({ securityContext }) => isUnconfined(securityContext?.seccompProfile));
  const who = setters(
    isUnconfined(own),
    bad.map(({ name }) => name),
  );
  if (who === undefined) return undefined;
  const types = sorted([own, ...bad.map(({ securityContext }) => securityContext?.seccompProfile)].filter(isUnconfined).map(({ type }) => type));
  return { reason: "seccompProfile", detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}` };
}

function isUnconfined(profile: SeccompProfile | undefined): profile is SeccompProfile {
  return profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
}

function hostsOfHandler(handler: Probe | LifecycleHandler | undefined): string[] {
  return [handler?.httpGet?.host ?? "", handler?.tcpSocket?.host ?? ""].filter((host) => host !== "");
}

/** The verb, in the number of its subject. */
function uses(subject: readonly unknown[]): string {
  return subject.length === 1 ? "uses" : "use";
}
