import { once } from "node:events";
import type { RemoteCommand } from "@sluice/client";
import { ApiError, UserError, type Container } from "@sluice/kubernetes";
import type { AttachOptions, ExecOptions } from "../../api-server/api-server.ts";
import { UNSEEN, type ObservedContainer } from "../lifecycle/observed-pod.ts";
import type { NodeContext } from "../node-context.ts";
import { probeContainer } from "../probes/prober.ts";
import { runHandler, type HandlerTarget } from "../probes/run-handler.ts";
import type { ContainerHandle, RawExit } from "../runtime/container-handle.ts";
import { ContainerProcess } from "../runtime/container-process.ts";
import type { AttemptRecord, PodDirectory } from "../runtime/pod-directory.ts";
import { remoteCommand } from "../runtime/remote-command.ts";
import type { HostCommand, Sandbox } from "../sandbox/sandbox.ts";
import { attemptOf, type Adopted } from "./adopt-containers.ts";
import { attachContainer } from "./attach-container.ts";
import { blockedBy } from "./blocked-by.ts";
import { describeExit } from "./container-exit.ts";
import type { PodEvent } from "./pod-events.ts";
import { notRunning } from "./not-running.ts";
import { prepareContainer, programOf, StartError, TERMINAL, type PreparedContainer } from "./prepare-container.ts";
import { graceMsOf, probeListener } from "./probe-listener.ts";
import type { RunnerHost } from "./runner-host.ts";
import { adoptContainer, startContainer, type StartedContainer, type StartOptions } from "./start-container.ts";

/** How long a container that runs may not be ready to be entered, and how often to look. */
const SETTLING_MS = 2000;
const ROUND_MS = 10;

/** Carries out, for one container, what `planPod` decides, and keeps what is observed of it. */
export class ContainerRunner {
  readonly #container: Container;
  readonly #host: RunnerHost;
  #state: ObservedContainer;
  #nextIndex: number;
  #handle: ContainerHandle | undefined;
  #starting: AbortController | undefined;
  #running = new AbortController();
  readonly #lifetime = new AbortController();
  #prepared: PreparedContainer | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  /** The last attempt whose input somebody has written. */
  #attached: number | undefined;

  constructor(container: Container, host: RunnerHost, adopted: Adopted) {
    this.#container = container;
    this.#host = host;
    this.#nextIndex = adopted.nextIndex;
    const { last, previous } = adopted;
    const isProgram = last?.record.isProgram ?? programOf(container, host.node) !== undefined;
    this.#state = { ...UNSEEN, isProgram, previous };
    if (last === undefined) return;
    const exit = last.state.is === "told" ? last.state.exit : undefined;
    this.#state = { ...this.#state, attempt: attemptOf(last.record, last.startedAt, exit) };
  }

  get state(): ObservedContainer {
    return this.#state;
  }

  /** Resolves when the present attempt has ended, or nobody watches it any more. */
  get ended(): Promise<unknown> {
    return Promise.race([this.#ended, once(this.#lifetime.signal, "abort")]);
  }

  /** Takes up again what `adopted` says was under way; the pod must be set up. */
  async resume({ last }: Adopted): Promise<void> {
    const { sandbox } = this.#host;
    if (last === undefined || sandbox === undefined) return;
    const options = { ...this.#startOptions(sandbox), record: last.record };
    if (last.state.is === "ended") await this.#conclude(last.record, last.state.raw);
    else if (last.state.is === "running") this.#follow(last.record, adoptContainer(this.#container.name, options), { isAdopted: true });
    else if (last.state.is === "interrupted") await this.#runAgain({ ...options, signal: this.#lifetime.signal });
  }

  /** A program that cannot be run again has failed. */
  async #runAgain(options: StartOptions): Promise<void> {
    const { record } = options;
    try {
      const prepared = await this.#prepare(options.signal);
      this.#follow(record, await startContainer(this.#container, prepared, options), { isAdopted: true });
    } catch (error) {
      this.#failed("restart", error);
      await this.#conclude(record, { exitCode: 1, finishedAt: this.#host.node.clock.now(), how: "exited" });
    }
  }

  start(request: { readonly restartCount: number; readonly crashes: number }): void {
    const starting = new AbortController();
    this.#starting = starting;
    this.#set({ isStarting: true, stopping: undefined, progress: undefined });
    const references = this.#host.references;
    // Whoever waits for an image may not hear that it has been called off.
    void Promise.race([this.#start(request, starting), once(starting.signal, "abort")])
      .catch((error: unknown) => this.#block(error, starting, references))
      .finally(() => {
        this.#starting = undefined;
        this.#set({ isStarting: false, progress: undefined });
      });
  }

  stop(killAt: number): void {
    this.#starting?.abort();
    const { stopping, attempt } = this.#state;
    if (attempt === undefined || attempt.exit !== undefined) return;
    this.#set({ stopping: { killAt, isKilled: stopping?.isKilled ?? false } });
    if (stopping !== undefined) return;
    this.#tell("Normal", "Killing", `Stopping container ${this.#container.name}`);
    void this.#terminate(killAt).catch((error: unknown) => this.#failed("stop", error));
  }

  kill(): void {
    this.#starting?.abort();
    const { stopping } = this.#state;
    this.#set({ stopping: { killAt: stopping?.killAt ?? 0, isKilled: true } });
    void this.#handle?.kill().catch((error: unknown) => this.#failed("kill", error));
  }

  /** What the pod refers to has changed: perhaps it can start now. */
  retry(): void {
    const { blocked } = this.#state;
    if (blocked?.reason === "CreateContainerConfigError") this.#set({ blocked: { ...blocked, retryAt: this.#host.node.clock.now() } });
  }

  /** Notices a supervisor that somebody has killed. */
  check(): void {
    if (this.#handle instanceof ContainerProcess) this.#handle.checkSupervisor();
  }

  /** A command beside what runs in the container. */
  async exec({ command, tty }: ExecOptions): Promise<RemoteCommand> {
    const host = await this.#hostCommand(command, tty);
    return remoteCommand(host, { tty, launcher: this.#host.node.launcher, clock: this.#host.node.clock });
  }

  /** The container's own process. */
  async attach({ stdin }: AttachOptions): Promise<RemoteCommand> {
    const { attempt } = this.#state;
    if (this.#handle === undefined || attempt?.startedAt === undefined || attempt.exit !== undefined) throw notRunning(this.#container.name);
    const isFirst = this.#attached !== attempt.index;
    if (stdin) this.#attached = attempt.index;
    return attachContainer(this.#container, {
      directory: this.#host.directory.attempt(this.#container.name, attempt.index),
      startedAt: attempt.startedAt,
      ended: this.ended,
      isFirst,
      launcher: this.#host.node.launcher,
    });
  }

  /** Lets it run on, unwatched. */
  release(): void {
    this.#lifetime.abort("released");
    this.#starting?.abort();
    this.#running.abort("ended");
    this.#handle?.release();
  }

  async #start({ restartCount, crashes }: { readonly restartCount: number; readonly crashes: number }, starting: AbortController): Promise<void> {
    const { node, pod } = this.#host;
    const prepared = await this.#prepare(starting.signal);
    await node.shared.starts.run(async () => {
      const { sandbox } = this.#host;
      if (starting.signal.aborted || sandbox === undefined) return;
      const index = this.#nextIndex++;
      const isProgram = prepared.kind === "program";
      const record: AttemptRecord = {
        ...{ index, restartCount, crashes, isProgram },
        containerId: `${prepared.kind}://${pod.metadata.uid ?? ""}.${this.#container.name}.${index}`,
        imageId: isProgram ? (this.#container.image ?? "") : prepared.image.imageId,
        ...(isProgram || prepared.image.files?.stopSignal === undefined ? {} : { stopSignal: prepared.image.files.stopSignal }),
      };
      const started = await startContainer(this.#container, prepared, { ...this.#startOptions(sandbox), record, signal: starting.signal });
      const outdated = this.#state.previous;
      this.#follow(record, started, { isAdopted: false });
      if (outdated !== undefined) await this.#host.directory.removeAttempt(this.#container.name, outdated.index);
      if (!isProgram) await started.handle.started;
    });
  }

  async #prepare(signal: AbortSignal): Promise<PreparedContainer> {
    const { node, surroundings } = this.#host;
    const { image = "", name } = this.#container;
    const progress = (message: string): void => {
      this.#tell("Normal", "Pulling", message);
      this.#set({ progress: message });
    };
    const prepared = await prepareContainer(this.#container, surroundings, { node, progress, signal });
    this.#prepared = prepared;
    if (prepared.kind === "process") {
      const { profile, note } = prepared.image;
      if (profile !== undefined) this.#host.noteProfile(name, profile);
      this.#tell("Normal", "Pulled", profile === undefined ? note : `Image ${JSON.stringify(image)} runs as profile ${profile}: ${note}`);
    }
    return prepared;
  }

  /** Observes an attempt from its start to its end. */
  #follow(record: AttemptRecord, { handle, index }: StartedContainer, { isAdopted }: { readonly isAdopted: boolean }): void {
    this.#handle = handle;
    this.#running = new AbortController();
    if (!isAdopted) {
      const { attempt: previous } = this.#state;
      this.#set({
        attempt: attemptOf(record),
        previous: previous ?? this.#state.previous,
        isStarting: false,
        blocked: undefined,
        progress: undefined,
        stopping: undefined,
        unhealthy: undefined,
        isStarted: false,
        isReady: false,
      });
      if (!record.isProgram) this.#tell("Normal", "Created", `Created container: ${this.#container.name}`);
    }
    void handle.started.then(async (startedAt) => {
      if (startedAt === undefined) return;
      if (!isAdopted && this.#prepared?.kind === "process" && this.#prepared.process.root !== undefined && handle.pid !== undefined)
        await this.#host.sandbox?.whenRunning(this.#container.name, handle.pid);
      if (!isAdopted && !record.isProgram) this.#tell("Normal", "Started", `Started container ${this.#container.name}`);
      this.#began(startedAt);
    });
    this.#ended = handle.ended.then(async (raw) => {
      this.#running.abort("ended");
      index.close();
      await this.#conclude(record, raw);
    });
    this.#ended.catch((error: unknown) => this.#failed("end", error));
  }

  #began(startedAt: number): void {
    const { attempt } = this.#state;
    if (attempt === undefined || attempt.exit !== undefined) return;
    const { startupProbe, readinessProbe, livenessProbe, lifecycle } = this.#container;
    const isStarted = startupProbe === undefined;
    this.#set({ attempt: { ...attempt, startedAt }, isStarted, isReady: isStarted && readinessProbe === undefined });
    const { signal } = this.#running;
    if (lifecycle?.postStart !== undefined) void this.#postStart(signal).catch((error: unknown) => this.#failed("postStart", error));
    if (startupProbe === undefined && readinessProbe === undefined && livenessProbe === undefined) return;
    const { clock } = this.#host.node;
    const listener = probeListener({
      container: this.#container,
      pod: () => this.#host.pod,
      state: () => this.#state,
      set: (change) => this.#set(change),
      tell: (type, reason, message) => this.#tell(type, reason, message),
    });
    void probeContainer(this.#container, { target: this.#target(), listener, clock, signal }).catch((error: unknown) => this.#failed("probe", error));
  }

  async #postStart(signal: AbortSignal): Promise<void> {
    const { isSuccess, message } = await runHandler(this.#container.lifecycle?.postStart ?? {}, this.#target(), signal);
    if (isSuccess || signal.aborted) return;
    this.#tell("Warning", "FailedPostStartHook", `PostStartHook failed: ${message}`);
    this.#set({ unhealthy: { graceMs: graceMsOf({}, this.#host.pod) } });
  }

  async #terminate(killAt: number): Promise<void> {
    const { clock } = this.#host.node;
    const preStop = this.#container.lifecycle?.preStop;
    const left = killAt - clock.now();
    if (preStop !== undefined && left > 0 && this.#state.attempt?.startedAt !== undefined) {
      const limit = AbortSignal.any([this.#running.signal, AbortSignal.timeout(Math.min(left, 2 ** 31 - 1))]);
      const { isSuccess, message } = await runHandler(preStop, this.#target(), limit);
      if (!isSuccess && !this.#running.signal.aborted) this.#tell("Warning", "FailedPreStopHook", `PreStopHook failed: ${message}`);
    }
    await this.#handle?.terminate();
  }

  async #conclude(record: AttemptRecord, raw: RawExit): Promise<void> {
    if (this.#lifetime.signal.aborted) return; // Whoever takes over will learn of it.
    const { directory } = this.#host;
    const { name } = this.#container;
    const exit = await describeExit(this.#container, raw, {
      directory: directory.attempt(name, record.index),
      startedAt: this.#state.attempt?.startedAt,
      wasOutOfMemory: () => this.#wasOutOfMemory(),
      startFailure: () => this.#host.sandbox?.startFailure(name),
    });
    if (this.#lifetime.signal.aborted) return;
    directory.writeOutcome(name, record.index, exit);
    this.#handle = undefined;
    this.#set({ attempt: attemptOf(record, exit.startedAt, exit), isStarted: false, isReady: false, unhealthy: undefined });
  }

  async #wasOutOfMemory(): Promise<boolean> {
    try {
      return (await this.#host.sandbox?.wasOutOfMemory(this.#container.name)) === true;
    } catch (error) {
      this.#failed("memory check", error);
      return false;
    }
  }

  #block(error: unknown, starting: AbortController, references: number): void {
    if (starting.signal.aborted) return;
    const { node, pod } = this.#host;
    if (!(error instanceof StartError))
      node.logger.error("a container cannot be made", { pod: pod.metadata.name, container: this.#container.name, error });
    const blocked = blockedBy(error, this.#state.blocked, {
      now: node.clock.now(),
      backoff: node.restartBackoff,
      hasChanged: references !== this.#host.references,
    });
    const { reason, message } = blocked;
    if (reason === "ErrImagePull") this.#tell("Warning", "Failed", `Failed to pull image ${JSON.stringify(this.#container.image ?? "")}: ${message}`);
    this.#tell("Warning", "Failed", `Error: ${reason.startsWith("CreateContainer") ? message : reason}`);
    this.#set({ blocked });
  }

  #target(): HandlerTarget {
    return {
      container: this.#container,
      podIp: this.#host.surroundings.podIp,
      exec: async (argv, options) => this.#host.node.launcher.run(await this.#hostCommand(argv, false), options),
    };
  }

  /** What runs a command in the container on this machine. Throws `ApiError` where there is no container to run it in. */
  async #hostCommand(argv: readonly string[], tty: boolean): Promise<HostCommand> {
    const prepared = this.#prepared ?? (await this.#prepare(this.#running.signal));
    const { sandbox } = this.#host;
    const { name } = this.#container;
    const pid = this.#handle?.pid;
    if (prepared.kind === "program")
      throw new ApiError("BadRequest", `no command can run in container ${name}: its image is a part of the node's own program`);
    if (sandbox === undefined || pid === undefined) throw notRunning(name);
    const env = tty ? { ...TERMINAL, ...prepared.process.env } : prepared.process.env;
    const { clock } = this.#host.node;
    for (;;) {
      try {
        return sandbox.exec(pid, { ...prepared.process, argv, env, tty });
      } catch (error) {
        // The kernel tells nobody when a command has made its namespaces, a moment after it has begun.
        const { startedAt = 0 } = this.#state.attempt ?? {};
        if (this.#handle?.pid === pid && clock.now() - startedAt < SETTLING_MS) await clock.sleep(ROUND_MS, this.#running.signal);
        else throw error instanceof UserError ? new ApiError("InternalError", error.message, { cause: error }) : error;
      }
    }
  }

  #startOptions(sandbox: Sandbox): { node: NodeContext; directory: PodDirectory; podUid: string; sandbox: Sandbox } {
    const { node, directory, pod } = this.#host;
    return { node, directory, podUid: pod.metadata.uid ?? "", sandbox };
  }

  #set(change: Partial<ObservedContainer>): void {
    this.#state = { ...this.#state, ...change };
    this.#host.changed();
  }

  #tell(type: PodEvent["type"], reason: string, message: string): void {
    this.#host.tell({ type, reason, message, container: this.#container.name });
  }

  #failed(what: string, error: unknown): void {
    const { metadata } = this.#host.pod;
    this.#host.node.logger.error(`container ${what} failed`, {
      pod: metadata.name,
      namespace: metadata.namespace,
      container: this.#container.name,
      error,
    });
  }
}
