import type { UnknownObject } from "@sluice/kubernetes";
import { startWebhookServer, type WebhookServer } from "./webhook-server.fixture.ts";
import { openAdmissionWorld, type AdmissionWorld } from "./world.fixture.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
export const MUTATING: string = `${REGISTRATION}/mutatingwebhookconfigurations`;
export const VALIDATING: string = `${REGISTRATION}/validatingwebhookconfigurations`;
export const MAPS = "/api/v1/namespaces/default/configmaps";
export const PODS = "/api/v1/namespaces/default/pods";

const MERGE = "application/merge-patch+json";

/** A world, a webhook server, and short ways to play the one against the other. */
export class WebhookScene implements AsyncDisposable {
  readonly world: AdmissionWorld;
  readonly server: WebhookServer;

  constructor(world: AdmissionWorld, server: WebhookServer) {
    this.world = world;
    this.server = server;
  }

  /** A webhook that asks a path of the server about config maps, unless told otherwise. */
  hook(path: string, more: object = {}): object {
    return {
      name: `${path.slice(1)}.example.com`,
      clientConfig: this.server.at(path),
      rules: [rule(["configmaps"])],
      sideEffects: "None",
      admissionReviewVersions: ["v1", "v1beta1"],
      ...more,
    };
  }

  post(path: string, body: UnknownObject): Promise<UnknownObject> {
    return this.world.send("POST", path, { body });
  }

  merge(path: string, body: object): Promise<UnknownObject> {
    return this.world.send("PATCH", path, { contentType: MERGE, body });
  }

  /** The Status of a request that is refused. */
  async refused(method: string, path: string, body?: object): Promise<object> {
    const sent = { ...(body === undefined ? {} : { body }), ...(method === "PATCH" ? { contentType: MERGE } : {}) };
    return (await this.world.refusal(method, path, sent)).toStatus();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Opens a world and starts a webhook server. */
export async function openWebhookScene(): Promise<WebhookScene> {
  const [world, server] = await Promise.all([openAdmissionWorld(), startWebhookServer()]);
  return new WebhookScene(world, server);
}

/** A rule for all groups and versions. */
export function rule(resources: string[], operations: string[] = ["CREATE"]): object {
  return { operations, apiGroups: ["*"], apiVersions: ["*"], resources };
}

/** A configuration of webhooks that may change objects. */
export function mutating(name: string, ...webhooks: object[]): UnknownObject {
  return configuration("Mutating", name, webhooks);
}

/** A configuration of webhooks that only judge. */
export function validating(name: string, ...webhooks: object[]): UnknownObject {
  return configuration("Validating", name, webhooks);
}

function configuration(type: string, name: string, webhooks: object[]): UnknownObject {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${type}WebhookConfiguration`,
    metadata: { name, labels: { suite: "e2e" } },
    webhooks,
  };
}

/** A config map. */
export function configMap(name: string, data: object = {}, labels: Record<string, string> = {}): UnknownObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data };
}

/** A pod. */
export function podNamed(name: string, labels: Record<string, string> = {}): UnknownObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { containers: [{ name: "c", image: "x" }] } };
}
