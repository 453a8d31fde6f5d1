import type { RegistryLogin } from "../images.ts";
import { parseChallenges, type Challenge } from "./challenge.ts";
import { TARGET_TYPES } from "./descriptor.ts";

/** One repository of a registry, as one reaches it. */
export interface RepositoryOptions {
  /** As in image names: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** As its registry calls it. */
  readonly repository: string;
  /** To be tried in order; without any of them at last. */
  readonly logins: readonly RegistryLogin[];
  readonly signal: AbortSignal;
}

/** A registry that cannot be reached or answers with an error. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  /** Trying again may help. */
  readonly isTemporary: boolean;

  constructor(message: string, options: ErrorOptions & { readonly isTemporary: boolean }) {
    super(message, options);
    this.isTemporary = options.isTemporary;
  }
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/u;
/** More than any manifest holds. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

/** Reads a repository by the distribution specification. */
export class Repository {
  readonly #options: RepositoryOptions;
  readonly #base: string;
  /** What proves who one is; undefined until the registry asks. */
  #authorization: string | undefined;

  constructor(options: RepositoryOptions) {
    this.#options = options;
    const { registry, repository } = options;
    const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
    this.#base = `${LOOPBACK.test(registry) ? "http" : "https"}://${host}/v2/${repository}`;
  }

  /** A manifest or index by tag or digest, word for word. */
  async manifest(reference: string): Promise<string> {
    const response = await this.#get(`manifests/${reference}`, { accept: TARGET_TYPES.join(", ") });
    const text = await this.#reading(response, (body) => body.text());
    if (text.length > MAX_MANIFEST_BYTES) throw new RegistryError(`the manifest ${reference} is too long`, { isTemporary: false });
    return text;
  }

  /** A blob's content from `start` on; undefined if the registry has no more than that. It may begin at 0 all the same: `isPart` says. */
  async blob(digest: string, start: number): Promise<{ readonly isPart: boolean; readonly content: ReadableStream<Uint8Array> }> {
    const response = await this.#get(`blobs/${digest}`, start === 0 ? {} : { range: `bytes=${start}-` });
    if (response.body === null) throw new RegistryError(`blob ${digest} has no content`, { isTemporary: true });
    return { isPart: response.status === 206, content: response.body };
  }

  /** Reading a body fails as the request itself does. */
  async #reading<T>(response: Response, read: (response: Response) => Promise<T>): Promise<T> {
    try {
      return await read(response);
    } catch (cause) {
      throw this.#unreachable(response.url, cause);
    }
  }

  async #get(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    const url = `${this.#base}/${path}`;
    let response = await this.#fetch(url, this.#authorized(headers));
    if (response.status === 401) {
      const challenges = parseChallenges(response.headers.get("www-authenticate") ?? "");
      await response.body?.cancel();
      for (const login of [...this.#options.logins, undefined]) {
        const authorization = await this.#answer(challenges, login);
        if (authorization === undefined) continue;
        this.#authorization = authorization;
        response = await this.#fetch(url, this.#authorized(headers));
        if (response.status !== 401 && response.status !== 403) break;
        await response.body?.cancel();
      }
    }
    if (response.ok) return response;
    throw await this.#refusal(url, response);
  }

  #authorized(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    return this.#authorization === undefined ? headers : { ...headers, authorization: this.#authorization };
  }

  async #answer(challenges: readonly Challenge[], login: RegistryLogin | undefined): Promise<string | undefined> {
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) return this.#token(bearer, login);
    return login !== undefined && challenges.some(({ scheme }) => scheme === "basic") ? basic(login) : undefined;
  }

  /** Fetches a token from where the registry says; undefined if the login is refused. */
  async #token({ parameters }: Challenge, login: RegistryLogin | undefined): Promise<string | undefined> {
    const { realm = "", service, scope = `repository:${this.#options.repository}:pull` } = parameters;
    if (!URL.canParse(realm))
      throw new RegistryError(`registry ${this.#options.registry} names no place to get a token from`, { isTemporary: false });
    const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
    let response: Response;
    if (login?.identityToken !== undefined) {
      const form = new URLSearchParams([...query, ["grant_type", "refresh_token"], ["client_id", "sluice"], ["refresh_token", login.identityToken]]);
      response = await this.#fetch(realm, {}, { method: "POST", body: form });
    } else {
      const url = new URL(realm);
      for (const [name, value] of query) url.searchParams.append(name, value);
      response = await this.#fetch(url.href, login === undefined ? {} : { authorization: basic(login) });
    }
    if (!response.ok) {
      await response.body?.cancel();
      if (response.status >= 500) throw new RegistryError(`${realm} answers ${response.status} when asked for a token`, { isTemporary: true });
      return undefined;
    }
    const body = await this.#reading(response, (answer) => answer.json() as Promise<{ token?: unknown; access_token?: unknown } | null>);
    const token = body?.token ?? body?.access_token;
    return typeof token === "string" ? `Bearer ${token}` : undefined;
  }

  async #fetch(url: string, headers: Readonly<Record<string, string>>, more: RequestInit = {}): Promise<Response> {
    const { signal } = this.#options;
    try {
      return await fetch(url, { ...more, headers, signal });
    } catch (cause) {
      throw this.#unreachable(url, cause);
    }
  }

  #unreachable(url: string, cause: unknown): RegistryError {
    this.#options.signal.throwIfAborted();
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    return new RegistryError(`${new URL(url).host} cannot be reached: ${reason}`, { isTemporary: true, cause });
  }

  async #refusal(url: string, response: Response): Promise<RegistryError> {
    const { status } = response;
    const said = await response.text().catch(() => ""); // Its words only explain the status.
    if (status === 401 || status === 403)
      return new RegistryError("pull access denied, repository does not exist or may require authorization", { isTemporary: false });
    if (status === 404) return new RegistryError("not found", { isTemporary: false });
    return new RegistryError(`${new URL(url).host} answers ${status}: ${firstMessage(said)}`, { isTemporary: status >= 500 || status === 429 });
  }
}

function basic({ username, password }: RegistryLogin): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** What registries say is a list of errors. */
function firstMessage(said: string): string {
  try {
    const { errors } = JSON.parse(said) as { errors?: readonly { readonly message?: unknown }[] };
    const message = errors?.[0]?.message;
    if (typeof message === "string") return message;
  } catch {
    // It says something else.
  }
  return said.slice(0, 200);
}
