import type { Program } from "@sluice/component";
import { parseQuantity, type Container, type Pod } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { environmentOf } from "../environment/environment.ts";
import { serviceVariables } from "../environment/service-variables.ts";
import { expand } from "../environment/expand.ts";
import { ImageError, type PullPolicy, type ResolvedImage } from "../images/images.ts";
import type { NodeContext } from "../node-context.ts";
import type { SandboxMount, SandboxProcess } from "../sandbox/sandbox.ts";
import { mountsOf } from "../volumes/mounts.ts";
import { containerRoot } from "./container-root.ts";
import { hostnameOf } from "./pod-identity.ts";
import { pullCredentials } from "./pull-credentials.ts";

/** What programs are told of a terminal unless they are told otherwise. */
export const TERMINAL = { TERM: "xterm" } as const;

/** What a container needs of its pod to be made. */
export interface PodSurroundings {
  readonly pod: Pod;
  readonly podIp: string;
  readonly volumes: ReadonlyMap<string, string>;
}

/** A container that is ready to start. */
export type PreparedContainer =
  | {
      readonly kind: "program";
      readonly program: Program;
      readonly pod: { readonly namespace: string; readonly name: string };
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly mounts: readonly SandboxMount[];
    }
  | { readonly kind: "process"; readonly process: SandboxProcess; readonly image: ResolvedImage };

/** A container that cannot be made: the reason and message that it waits with. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Finds out all that a container runs with. Throws `StartError`. */
export async function prepareContainer(
  container: Container,
  surroundings: PodSurroundings,
  options: { readonly node: NodeContext; readonly progress: (line: string) => void; readonly signal: AbortSignal },
): Promise<PreparedContainer> {
  const { node, progress, signal } = options;
  const { pod, podIp, volumes } = surroundings;
  try {
    const { name: nodeName, references, allocatable, sandboxes, gpus } = node;
    const source = { pod, nodeName, podIp, hostIp: sandboxes.hostIp, allocatable, references, hostname: hostnameOf(pod) };
    const devices = gpus.variables(pod.metadata.uid ?? "", container.name);
    const given = await environmentOf(container, { ...source, serviceVariables: await variablesOfServices(pod, node) });
    const variables = new Map([...Object.entries(devices), ...given]);
    // A program that is told to use the first GPU means the first of its own.
    if (devices["CUDA_VISIBLE_DEVICES"] !== "") for (const [name, value] of Object.entries(devices)) variables.set(name, value);
    const mounts = mountsOf(container, volumes, variables);
    const command = (container.command ?? []).map((word) => expand(word, variables));
    const args = (container.args ?? []).map((word) => expand(word, variables));
    const program = programOf(container, node);
    const { namespace = "", name } = pod.metadata;
    if (program !== undefined) return { kind: "program", program, pod: { namespace, name }, args, env: Object.fromEntries(variables), mounts };

    const image = await node.images.resolve({
      ...{ image: container.image ?? "", command, args, progress, signal },
      pullPolicy: pullPolicyOf(container),
      credentials: () => pullCredentials(pod, node),
    });
    if (image.argv.length === 0) throw new StartError("CreateContainerError", "no command specified");
    const root = image.files === undefined ? undefined : containerRoot(image.files, container, pod);
    const process: SandboxProcess = {
      container: container.name,
      argv: image.argv,
      env: { ...(container.tty === true ? TERMINAL : {}), ...image.env, ...Object.fromEntries(variables) },
      workingDirectory: container.workingDir || image.files?.workingDirectory || undefined,
      mounts: [...image.mounts, ...mounts],
      runAsUser: root === undefined ? userOf(container, pod) : root.user.uid,
      runAsGroup: container.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup,
      root,
      limits: limitsOf(container),
    };
    return { kind: "process", process, image };
  } catch (error) {
    if (error instanceof ConfigError) throw new StartError("CreateContainerConfigError", error.message, { cause: error });
    if (error instanceof ImageError) throw new StartError(error.reason, error.message, { cause: error });
    throw error;
  }
}

/** Of the services in the pod's namespace, unless it does not want them, and of the API. */
async function variablesOfServices({ metadata, spec }: Pod, { services, sandboxes, api }: NodeContext): Promise<ReadonlyMap<string, string>> {
  await services.synced;
  const routing = sandboxes.services;
  const kubernetes = services.find({ namespace: "default", name: "kubernetes" });
  const linked = spec.enableServiceLinks === false ? [] : services.list(metadata.namespace);
  return serviceVariables({
    services: [...linked, ...(kubernetes === undefined ? [] : [kubernetes])],
    addressOf: routing.by === "proxy" ? routing.addressOf : (address) => address,
    api,
  });
}

/** The program of this process that a container's image is, if it is one. */
export function programOf(container: Container, node: Pick<NodeContext, "programs">): Program | undefined {
  const image = container.image ?? "";
  const [name = ""] = image.split("@");
  const slash = name.lastIndexOf("/");
  const colon = name.indexOf(":", slash + 1);
  return node.programs.get(colon < 0 ? name : name.slice(0, colon));
}

function pullPolicyOf({ imagePullPolicy: policy }: Container): PullPolicy {
  return policy === "Always" || policy === "Never" ? policy : "IfNotPresent";
}

function limitsOf({ resources }: Container): SandboxProcess["limits"] {
  const { memory, cpu } = resources?.limits ?? {};
  return {
    ...(memory === undefined ? {} : { memoryBytes: Number(parseQuantity(memory).nanos / 1_000_000_000n) }),
    ...(cpu === undefined ? {} : { cpuMillis: Math.ceil(Number(parseQuantity(cpu).nanos) / 1e6) }),
  };
}

function userOf(container: Container, pod: Pod): number | undefined {
  const user = container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const mustNotBeRoot = container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  if (mustNotBeRoot === true && user === 0) throw new ConfigError("container's runAsUser breaks non-root policy");
  if (mustNotBeRoot === true && user === undefined && process.getuid?.() === 0)
    throw new ConfigError("container has runAsNonRoot and image will run as root");
  return user;
}
