import type { Container, Pod } from "@sluice/kubernetes";

/** Whether an init container is one that stays. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** Whether a container that ended with `exitCode` is started again while its pod goes on. */
export function willRestart(pod: Pod, container: Container, isInit: boolean, exitCode: number): boolean {
  if (isInit && isSidecar(container)) return true;
  const policy = pod.spec.restartPolicy ?? "Always";
  if (policy === "Never") return false;
  return exitCode !== 0 || (policy === "Always" && !isInit);
}
