import { randomUUID } from "node:crypto";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client, type UserInfo } from "@sluice/client";
import type { Program } from "@sluice/component";
import { runManager, systemClock, type Clock, type Logger } from "@sluice/controller";
import { builtinResources, type Resource } from "@sluice/kubernetes";
import { limitRanger } from "./admission/limit-ranger.ts";
import { podSecurity } from "./admission/pod-security.ts";
import { PolicyAdmission } from "./admission/policies/policy-admission.ts";
import { resourceQuota } from "./admission/resource-quota.ts";
import { webhookAdmission } from "./admission/webhooks/webhook-admission.ts";
import type { ApiServer } from "./api-server/api-server.ts";
import { createApiServer } from "./api-server/create-api-server.ts";
import { publishApiEndpoint } from "./api-server/publish-api-endpoint.ts";
import { openAuditLog, type AuditOptions } from "./audit/open-audit-log.ts";
import { accessReviews } from "./auth/access-reviews.ts";
import { authenticationReviews } from "./auth/authentication-reviews.ts";
import { bootstrapRoles } from "./auth/bootstrap-roles.ts";
import { extensionServerObjects } from "./auth/extension-servers.ts";
import { kubeconfigFor } from "./auth/kubeconfig.ts";
import { OidcTokens, type OidcOptions, type VerifiedToken } from "./auth/oidc-tokens.ts";
import { openPki, type Pki } from "./auth/pki.ts";
import { RbacAuthorizer } from "./auth/rbac-authorizer.ts";
import { guardAgainstEscalation } from "./auth/rbac-escalation.ts";
import { writeSecretFile } from "./auth/secret-file.ts";
import { ServiceAccountTokens, TOKEN_ISSUER } from "./auth/service-account-tokens.ts";
import { updateBootstrapRoles } from "./auth/update-bootstrap-roles.ts";
import { clusterDocuments } from "./http/cluster-documents.ts";
import { RequestCounts } from "./http/request-counts.ts";
import { serveApi } from "./http/serve-api.ts";
import { controlPlaneControllers } from "./controllers/index.ts";
import { openImages } from "./node/images/index.ts";
import { ImageStore } from "./node/images/oci/image-store.ts";
import { OciImages } from "./node/images/oci/oci-images.ts";
import { Puller } from "./node/images/oci/pull-image.ts";
import { imagePlatform } from "./node/machine.ts";
import type { NodeSpec } from "./node/node-spec.ts";
import { Launcher } from "./node/runtime/launcher.ts";
import { openSandboxes } from "./node/sandbox/index.ts";
import { catalogNames } from "./node/services/catalog-names.ts";
import { ServiceCatalog } from "./node/services/service-catalog.ts";
import { startNodes, type Nodes } from "./node/start-nodes.ts";
import { podGroupDefinition, runScheduler } from "./scheduler/index.ts";
import { openStore } from "./store/store.ts";
import { standardStorageClass } from "./volume/storage-class.ts";

/** What a cluster is made of. Without any of it, it is one for a test: gone when it stops, on any free port, silent. */
export interface ClusterOptions {
  /** Where everything is kept. Without one nothing outlives the cluster. */
  readonly directory?: string | undefined;
  /** The address and the port that the API listens on; 127.0.0.1, and any free port, unless given. */
  readonly host?: string | undefined;
  readonly apiPort?: number | undefined;
  /** Further names and addresses by which clients call the API, such as the gateway of the pods' network. */
  readonly names?: readonly string[] | undefined;
  /** `all` unless given. */
  readonly mode?: ClusterMode | undefined;
  /** How pods are kept apart: by all that this machine has for it, unless as plain processes. */
  readonly sandbox?: "auto" | "none" | undefined;
  /** The nodes, each of which runs its pods on this machine; one with the machine's name and capacity unless given. */
  readonly nodes?: readonly NodeSpec[] | undefined;
  /** The programs that run in this process, by image. */
  readonly programs?: readonly Program[] | undefined;
  /** This program's environment variables: where the node looks for interpreters and tools. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** What stands in for images that have no profile of their own, by image. */
  readonly imageProfiles?: Readonly<Record<string, string>> | undefined;
  /** Whether and how to write down who asks for what; not unless given. */
  readonly audit?: AuditOptions | undefined;
  /** Who else says who somebody is; nobody unless given. */
  readonly oidc?: OidcOptions | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** A fresh UUID. */
  readonly newId?: (() => string) | undefined;
}

/** How much of a cluster to run: its API alone, also what schedules and keeps objects, or also a node that runs pods. */
export type ClusterMode = "api-server" | "control-plane" | "all";

/** A running cluster. Disposing of it stops it. */
export interface Cluster extends AsyncDisposable {
  /** The Kubernetes API in this process, as a user. */
  client(user: UserInfo): Client;
  readonly api: ApiServer;
  readonly url: string;
  /** The file by which kubectl and others reach the cluster as its administrator. */
  readonly kubeconfigPath: string;
}

const NAMES = [
  "127.0.0.1",
  "::1",
  "localhost",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "10.96.0.1",
];
/** The machine's own node. */
const NODE_NAME = hostname()
  .toLowerCase()
  .replace(/[^a-z0-9.-]/gu, "-");
const DAY_MS = 24 * 60 * 60 * 1000;
const SILENT: Logger = { info: () => {}, warn: () => {}, error: () => {} };

/** Starts a cluster: its store, its API, and what gives its objects life. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { host = "127.0.0.1", apiPort = 0, names = [], mode = "all", clock = systemClock, logger = SILENT, newId = randomUUID } = options;
  await using stack = new AsyncDisposableStack();
  const stopping = new AbortController();
  const { signal } = stopping;

  const directory = options.directory ?? (await temporaryDirectory(stack));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const store = stack.use(await openStore({ path: options.directory === undefined ? ":memory:" : join(directory, "cluster.db") }));
  const { programs = [], environment = {} } = options;
  const home = join(directory, "node");
  const services = new ServiceCatalog();
  const launcher = stack.use(new Launcher());
  const sandboxes =
    mode === "all"
      ? stack.use(
          await openSandboxes({
            ...{ directory: join(home, "sandboxes"), hidden: [directory], path: environment["PATH"] ?? "", launcher, clock, logger },
            names: catalogNames(services),
            ...(options.sandbox === "none" ? { allow: { isolation: false } } : {}),
          }),
        )
      : undefined;
  /** Pods reach the API at the address by which they see this machine. */
  const hosts = [...new Set([host, sandboxes?.hostIp ?? host])];
  const readPki = (): Promise<Pki> =>
    openPki({ directory: join(directory, "pki"), names: [...new Set([...NAMES, ...hosts, ...names])], clock, newId });
  const pki = await readPki();

  let nodes: Nodes | undefined;
  const authorizer = stack.use(new RbacAuthorizer(store));
  const find = store.get.bind(store);
  const tokens = new ServiceAccountTokens({ key: pki.accountKey, find, clock, newId });
  const oidc = options.oidc === undefined ? undefined : new OidcTokens(options.oidc, { clock, logger });
  const verify = (token: string, audiences: readonly string[]): Promise<VerifiedToken> =>
    oidc?.claims(token) === true ? oidc.verify(token, audiences) : tokens.verify(token, audiences);
  const counts = new RequestCounts();
  const audit = options.audit === undefined ? undefined : await openAuditLog(options.audit, { directory, clock, logger, newId });
  if (audit !== undefined) stack.use(audit.file);
  const judging = { store, authorizer, resources: (): readonly Resource[] => api.resources(), clock, newId, logger };
  const webhooks = stack.use(webhookAdmission(judging));
  const policies = stack.use(new PolicyAdmission(judging));
  const quota = stack.use(resourceQuota({ store, clock, logger }));
  const api: ApiServer = stack.use(
    await createApiServer({
      store,
      resources: builtinResources,
      authorizer,
      // As upstream: what bounds a pod before those who may have more to say, and what is used up when nobody else can refuse it.
      admission: [limitRanger({ store }), podSecurity({ store }), webhooks.mutating, policies, webhooks.validating, quota],
      guard: guardAgainstEscalation(authorizer),
      audit: audit?.log,
      authenticate: async (token) => (await verify(token, [TOKEN_ISSUER])).user,
      virtual: [...accessReviews(authorizer), ...authenticationReviews({ tokens, verify, find })],
      nodes: (name) => nodes?.get(name),
      paths: clusterDocuments({ counts, publicKeys: await tokens.publicKeys(), isReady: () => !signal.aborted }),
      bootstrap: [
        ...bootstrapRoles,
        ...extensionServerObjects(pki.authority),
        ...(mode === "api-server" ? [] : [standardStorageClass, podGroupDefinition]),
      ],
      clock,
      newId,
      logger,
    }),
  );
  const client = (user: UserInfo): Client => createClient(api.transport(user));
  const system = (part: string): Client => client({ username: `system:${part}`, groups: ["system:masters", "system:authenticated"] });
  await updateBootstrapRoles(system("apiserver"));
  const served = stack.use(await serveApi({ server: api, authorizer, pki, hosts, port: apiPort, counts, audit: audit?.log, clock, newId, logger }));
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${served.port}`;
  await publishApiEndpoint(system("apiserver"), { address: reachableAddress(sandboxes?.hostIp ?? host), port: served.port });
  const kubeconfigPath = join(directory, "kubeconfig");
  await writeSecretFile(kubeconfigPath, kubeconfigFor(url, pki));

  const running = [
    untilStopped("certificates", async () => {
      for (let current = pki; ;) {
        await clock.sleep(DAY_MS, signal);
        if (signal.aborted) return;
        const next = await readPki();
        if (next.server.certificate === current.server.certificate && next.admin.certificate === current.admin.certificate) continue;
        current = next;
        served.renew(next);
        await writeSecretFile(kubeconfigPath, kubeconfigFor(url, next));
      }
    }),
  ];
  if (mode !== "api-server") {
    const controllers = controlPlaneControllers({ rootCa: pki.authority });
    running.push(untilStopped("controllers", () => runManager({ client: system("kube-controller-manager"), controllers, clock, logger, signal })));
    running.push(untilStopped("scheduler", () => runScheduler({ client: system("kube-scheduler"), clock, logger, signal })));
  }
  stack.defer(async () => {
    stopping.abort();
    await Promise.all(running);
  });
  if (sandboxes !== undefined) {
    const imageStore = new ImageStore(join(directory, "images"));
    const puller = new Puller({ store: imageStore, platform: imagePlatform(), clock });
    const images = stack.use(
      await openImages({
        directory: join(home, "images"),
        environment,
        profiles: options.imageProfiles,
        oci: sandboxes.features.images === "none" ? undefined : new OciImages(imageStore, puller),
        isolate: (process) => sandboxes.isolate(process),
      }),
    );
    const access = { host: sandboxes.hostIp, port: served.port, caCertificate: pki.authority };
    nodes = stack.use(
      await startNodes({
        ...{ directory: home, programs, launcher, sandboxes, images, services, api: access, clock, logger },
        nodes: options.nodes ?? [{ name: NODE_NAME }],
        ownName: NODE_NAME,
        nodePortAddresses: host === "0.0.0.0" || host === "::" ? [host] : hosts,
        client: system,
        path: environment["PATH"] ?? "",
      }),
    );
  }
  const started = stack.move();
  return {
    client,
    api,
    url,
    kubeconfigPath,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };

  /** Runs a part of the cluster; should it end before its time, somebody must know. */
  async function untilStopped(part: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
      if (!signal.aborted) logger.error("a part of the cluster has ended", { part });
    } catch (error) {
      logger.error("a part of the cluster has ended", { part, error });
    }
  }
}

/** What listens at all addresses is reached at this machine's own. */
function reachableAddress(host: string): string {
  return isIPv4(host) && host !== "0.0.0.0" ? host : "127.0.0.1";
}

async function temporaryDirectory(stack: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-cluster-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
