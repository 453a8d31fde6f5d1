import type { Clock } from "@sluice/controller";
import type { Container, Probe } from "@sluice/kubernetes";
import { runHandler, type HandlerResult, type HandlerTarget } from "./run-handler.ts";

/** What a container's probes find out. */
export interface ProbeListener {
  /** The startup probe has succeeded. */
  onStarted(): void;
  onReady(isReady: boolean): void;
  /** The liveness or startup probe has failed so often that the container is to be killed. */
  onUnhealthy(kind: "liveness" | "startup", probe: Probe): void;
  onFailure(kind: ProbeKind, result: HandlerResult): void;
}

/** The three probes. */
type ProbeKind = "startup" | "liveness" | "readiness";

/** What probes run with. */
export interface ProberOptions {
  readonly target: HandlerTarget;
  readonly listener: ProbeListener;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Probes a running container until `signal` aborts: the other probes wait for the startup probe. */
export async function probeContainer(container: Container, options: ProberOptions): Promise<void> {
  const { startupProbe, livenessProbe, readinessProbe } = container;
  const { listener, signal } = options;
  if (startupProbe !== undefined) {
    const hasStarted = await untilStarted(startupProbe, options);
    if (!hasStarted || signal.aborted) return;
    listener.onStarted();
  }
  await Promise.all([
    livenessProbe === undefined ? undefined : watchLiveness(livenessProbe, options),
    readinessProbe === undefined ? undefined : watchReadiness(readinessProbe, options),
  ]);
}

async function untilStarted(probe: Probe, options: ProberOptions): Promise<boolean> {
  for await (const { isSuccess, failures } of probing("startup", probe, options)) {
    if (isSuccess) return true;
    if (failures >= (probe.failureThreshold ?? 3)) {
      options.listener.onUnhealthy("startup", probe);
      return false;
    }
  }
  return false;
}

async function watchLiveness(probe: Probe, options: ProberOptions): Promise<void> {
  for await (const { failures } of probing("liveness", probe, options)) {
    if (failures < (probe.failureThreshold ?? 3)) continue;
    options.listener.onUnhealthy("liveness", probe);
    return;
  }
}

async function watchReadiness(probe: Probe, options: ProberOptions): Promise<void> {
  for await (const { successes, failures } of probing("readiness", probe, options)) {
    if (successes >= (probe.successThreshold ?? 1)) options.listener.onReady(true);
    else if (failures >= (probe.failureThreshold ?? 3)) options.listener.onReady(false);
  }
}

interface Outcome {
  readonly isSuccess: boolean;
  /** In a row. */
  readonly successes: number;
  readonly failures: number;
}

async function* probing(kind: ProbeKind, probe: Probe, { target, listener, clock, signal }: ProberOptions): AsyncGenerator<Outcome> {
  await clock.sleep((probe.initialDelaySeconds ?? 0) * 1000, signal);
  let successes = 0;
  let failures = 0;
  while (!signal.aborted) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1000)]);
    const result = await runHandler(probe, target, limit);
    if (signal.aborted) return;
    if (!result.isSuccess) listener.onFailure(kind, result);
    successes = result.isSuccess ? successes + 1 : 0;
    failures = result.isSuccess ? 0 : failures + 1;
    yield { isSuccess: result.isSuccess, successes, failures };
    await clock.sleep((probe.periodSeconds ?? 10) * 1000, signal);
  }
}
