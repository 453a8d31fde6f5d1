import type { PodSpec, Volume } from "@sluice/kubernetes";
import { procMount, seccompSetToOther } from "./baseline-checks.ts";
import { containersOf, hasOwnUsers, named, namesOf, quoted, setters, sorted, type CheckContext, type PodSecurityCheck } from "./finding.ts";

const VOLUMES: readonly string[] = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** What the level `restricted` checks beyond baseline, by id. */
export const restrictedChecks: readonly PodSecurityCheck[] = [
  {
    id: "allowPrivilegeEscalation",
    since: 8,
    find: (spec, context) => {
      if (isWindows(spec, context)) return undefined;
      const bad = namesOf(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
      return bad.length === 0
        ? undefined
        : {
            reason: "allowPrivilegeEscalation != false",
            detail: `${named("container", bad)} must set securityContext.allowPrivilegeEscalation=false`,
          };
    },
  },
  {
    id: "capabilities_restricted",
    since: 22,
    replaces: "capabilities_baseline",
    find: (spec, context) => {
      if (isWindows(spec, context)) return undefined;
      const addedBy = (of: ReturnType<typeof containersOf>[number]): string[] =>
        (of.securityContext?.capabilities?.add ?? []).filter((one) => one !== "NET_BIND_SERVICE");
      const keeping = namesOf(spec, ({ securityContext }) => securityContext?.capabilities?.drop?.includes("ALL") !== true);
      const adding = namesOf(spec, (one) => addedBy(one).length > 0);
      const added = quoted(sorted(containersOf(spec).flatMap(addedBy)));
      const details = [
        ...(keeping.length === 0 ? [] : [`${named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]`]),
        ...(adding.length === 0 ? [] : [`${named("container", adding)} must not include ${added} in securityContext.capabilities.add`]),
      ];
      return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
    },
  },
  { id: "procMount_restricted", since: 35, replaces: "procMount", find: procMount },
  {
    id: "restrictedVolumes",
    replaces: "hostPathVolumes",
    find: ({ volumes = [] }) => {
      const bad = volumes.filter((volume) => !VOLUMES.includes(sourceOf(volume)));
      if (bad.length === 0) return undefined;
      const names = bad.map(({ name }) => name);
      const types = sorted(bad.map(sourceOf));
      const verb = bad.length === 1 ? "uses" : "use";
      return { reason: "restricted volume types", detail: `${named("volume", names)} ${verb} ${named("restricted volume type", types)}` };
    },
  },
  {
    id: "runAsNonRoot",
    find: (spec, context) => {
      if (hasOwnUsers(spec, context)) return undefined;
      const own = spec.securityContext?.runAsNonRoot;
      const reason = "runAsNonRoot != true";
      const who = setters(
        own === false,
        namesOf(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false),
      );
      if (who !== undefined) return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
      const silent = own === true ? [] : namesOf(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
      return silent.length === 0 ? undefined : { reason, detail: `pod or ${named("container", silent)} must set securityContext.runAsNonRoot=true` };
    },
  },
  {
    id: "runAsUser",
    since: 23,
    find: (spec, context) => {
      if (hasOwnUsers(spec, context)) return undefined;
      const who = setters(
        spec.securityContext?.runAsUser === 0,
        namesOf(spec, ({ securityContext }) => securityContext?.runAsUser === 0),
      );
      return who === undefined ? undefined : { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` };
    },
  },
  {
    id: "seccompProfile_restricted",
    since: 19,
    replaces: "seccompProfile_baseline",
    find: (spec, context) => {
      if (isWindows(spec, context)) return undefined;
      const other = seccompSetToOther(spec);
      if (other !== undefined) return other;
      const isSet = spec.securityContext?.seccompProfile !== undefined;
      const silent = isSet ? [] : namesOf(spec, ({ securityContext }) => securityContext?.seccompProfile === undefined);
      const detail = `pod or ${named("container", silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`;
      return silent.length === 0 ? undefined : { reason: "seccompProfile", detail };
    },
  },
];

/** Windows has no such thing. */
function isWindows({ os }: PodSpec, { minor }: CheckContext): boolean {
  return os?.name === "windows" && minor >= 25;
}

function sourceOf({ name: _name, ...source }: Volume): string {
  const [type = "unknown"] = Object.keys(source);
  return type;
}
