import type { Client } from "@sluice/client";
import type { Clock } from "@sluice/controller";
import type { Pod, ServiceAccountTokenProjection } from "@sluice/kubernetes";

/** A token, and when to ask for its successor. */
export interface IssuedToken {
  readonly token: string;
  readonly refreshAt: number;
}

interface TokenRequest {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

const DEFAULT_SECONDS = 3600;
/** How much of its life a token may use up. */
const USED = 0.8;
/** However long a token lasts, it has a successor after a day. */
const LONGEST_MS = 24 * 60 * 60 * 1000;

/** Asks for the tokens of pods' service accounts; a token lasts no longer than its pod. */
export class TokenSource {
  readonly #client: Client;
  readonly #clock: Clock;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async request({ metadata, spec }: Pod, { audience, expirationSeconds = DEFAULT_SECONDS }: ServiceAccountTokenProjection): Promise<IssuedToken> {
    const account = spec.serviceAccountName ?? "default";
    const asked = this.#clock.now();
    const { status } = await this.#client.request<TokenRequest>({
      method: "POST",
      path: `/api/v1/namespaces/${metadata.namespace ?? ""}/serviceaccounts/${account}/token`,
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: {},
        spec: {
          audiences: audience === undefined || audience === "" ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name: metadata.name, uid: metadata.uid },
        },
      },
    });
    if (status?.token === undefined) throw new Error(`the token request for service account ${account} was answered without a token`);
    const expires = status.expirationTimestamp === undefined ? asked + expirationSeconds * 1000 : Date.parse(status.expirationTimestamp);
    return { token: status.token, refreshAt: asked + Math.min((expires - asked) * USED, LONGEST_MS) };
  }
}
