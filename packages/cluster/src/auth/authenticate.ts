import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { UserInfo } from "@sluice/client";
import { ApiError, isApiError } from "@sluice/kubernetes";

const ANONYMOUS: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };
const CLIENT_PURPOSE = "1.3.6.1.5.5.7.3.2";
const BEARER = /^Bearer +(\S+)$/iu;

/** Finds out who makes a request: by the client certificate of its connection, by its bearer token, or nobody. Throws Unauthorized for a token that is not right. */
export class Authenticator {
  readonly #token: (token: string) => Promise<UserInfo>;
  readonly #byConnection = new WeakMap<object, Certified>();

  /** `token` tells whom a bearer token speaks for. */
  constructor(token: (token: string) => Promise<UserInfo>) {
    this.#token = token;
  }

  async authenticate({ headers, socket }: IncomingMessage): Promise<UserInfo> {
    const certified = this.#certified(socket);
    if (certified.user !== undefined) return certified.user;
    const { authorization } = headers;
    if (authorization === undefined && certified.isRefused) throw unauthorized();
    if (authorization === undefined) return ANONYMOUS;
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) throw unauthorized();
    try {
      return await this.#token(token);
    } catch (error) {
      // Why a credential is refused helps only those who try them.
      throw isApiError(error, "Unauthorized") ? unauthorized(error) : error;
    }
  }

  #certified(socket: IncomingMessage["socket"]): Certified {
    let known = this.#byConnection.get(socket);
    if (known === undefined) this.#byConnection.set(socket, (known = readCertificate(socket)));
    return known;
  }
}

/** Whom a connection's certificate names, or that there is one which is not ours. */
interface Certified {
  readonly user?: UserInfo;
  readonly isRefused: boolean;
}

/** The common name is the user, the organisations are the groups. */
function readCertificate(socket: object): Certified {
  if (!(socket instanceof TLSSocket)) return { isRefused: false };
  const { subject, ext_key_usage: purposes } = socket.getPeerCertificate();
  const username = [subject?.CN ?? []].flat().at(-1);
  if (username === undefined) return { isRefused: subject !== undefined };
  if (!socket.authorized || purposes?.includes(CLIENT_PURPOSE) !== true) return { isRefused: true };
  return { isRefused: false, user: { username, groups: [...[subject.O ?? []].flat(), "system:authenticated"] } };
}

function unauthorized(cause?: unknown): ApiError {
  return new ApiError("Unauthorized", "Unauthorized", { cause });
}
