import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterAccess } from "@sluice/client";
import { systemClock, type Logger } from "@sluice/controller";
import type { RequestAuthorizer } from "../api-server/api-server-options.ts";
import type { World } from "../api-server/world.fixture.ts";
import { openPki } from "../auth/pki.ts";
import { RequestCounts } from "./request-counts.ts";
import { serveApi, type ServeApiOptions } from "./serve-api.ts";

/** A world on a socket. */
export interface ServedWorld extends AsyncDisposable {
  readonly port: number;
  /** The certificate of who has signed its own. */
  readonly authority: string;
  /** How to reach it with a token. */
  access(token: string): ClusterAccess;
}

const SILENT: Logger = { info: () => {}, warn: () => {}, error: () => {} };
const ANYBODY: RequestAuthorizer = { authorize: () => ({ allowed: true, reason: "" }) };

/** Serves a world over HTTPS, at any port. Disposing of it leaves the world. */
export async function serveWorld(world: World, options: Partial<ServeApiOptions> = {}): Promise<ServedWorld> {
  const directory = await mkdtemp(join(tmpdir(), "sluice-served-"));
  const pki = await openPki({ directory, names: ["127.0.0.1"], clock: systemClock, newId: randomUUID });
  const served = await serveApi({
    ...{ server: world.api, authorizer: ANYBODY, pki, logger: SILENT, hosts: ["127.0.0.1"], port: 0 },
    counts: new RequestCounts(),
    clock: systemClock,
    newId: randomUUID,
    ...options,
  });
  return {
    port: served.port,
    authority: pki.authority,
    access: (token) => ({
      server: `https://127.0.0.1:${served.port}`,
      certificateAuthority: pki.authority,
      namespace: "default",
      token: async () => token,
    }),
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
