import type { Taint, Toleration } from "@sluice/kubernetes";

/** Whether a toleration covers a taint. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = "", operator = "Equal", value = "", effect } = toleration;
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  return operator === "Exists" || (key !== "" && value === (taint.value ?? ""));
}

/** The first of the taints with one of these effects that nothing tolerates. */
export function untolerated(taints: readonly Taint[], tolerations: readonly Toleration[], effects: readonly Taint["effect"][]): Taint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)));
}
