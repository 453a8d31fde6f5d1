import type { Pod } from "@sluice/kubernetes";

/** How long, in milliseconds, until a pod has been ready for `minReadySeconds`: 0 if it has, Infinity if it is not ready. */
export function timeToAvailability({ status }: Pod, minReadySeconds: number, now: number): number {
  const ready = status?.conditions?.find((condition) => condition.type === "Ready" && condition.status === "True");
  if (ready === undefined) return Infinity;
  if (minReadySeconds === 0) return 0;
  const since = ready.lastTransitionTime === undefined ? now : Date.parse(ready.lastTransitionTime);
  return Math.max(0, since + minReadySeconds * 1000 - now);
}
