import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { loadKubeconfig } from "@sluice/client";

const HEAD_END = "\r\n\r\n";

/** One connection to the Kubernetes API, one request at a time, as light as can be: what is measured is the server. */
export class Connection implements Disposable {
  readonly #socket: TLSSocket;
  #received: Buffer[] = [];
  #waiting: PromiseWithResolvers<Buffer> | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
  }

  /** Connects as the administrator of a kubeconfig. */
  static async open(kubeconfig: string): Promise<Connection> {
    const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = await loadKubeconfig(kubeconfig);
    const { hostname, port } = new URL(server);
    const socket = connect({ host: hostname, port: Number(port), ca, cert, key, ALPNProtocols: ["http/1.1"] });
    await once(socket, "secureConnect");
    socket.setNoDelay(true);
    return new Connection(socket);
  }

  /** Sends a request and resolves once the whole answer is here; fails unless it is a success. */
  async send(method: string, path: string, body = "", contentType = "application/json"): Promise<void> {
    this.#waiting = Promise.withResolvers();
    this.#write(method, path, body, contentType);
    const answer = await this.#waiting.promise;
    if (answer.toString("latin1", 9, 10) !== "2") throw new Error(`${method} ${path} failed: ${answer.toString()}`);
  }

  /** Opens a stream; `onData` gets what comes, the connection is of no other use afterwards. */
  stream(path: string, onData: (chunk: Buffer) => void): void {
    this.#socket.removeAllListeners("data").on("data", onData);
    this.#write("GET", path, "", "");
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #write(method: string, path: string, body: string, contentType: string): void {
    const length = body === "" ? "" : `content-type: ${contentType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: sluice\r\naccept: application/json\r\n${length}\r\n${body}`);
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    const all = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    const head = all.indexOf(HEAD_END);
    const length = head < 0 ? undefined : /content-length: (\d+)/iu.exec(all.toString("latin1", 0, head))?.[1];
    if (length === undefined || all.length < head + HEAD_END.length + Number(length)) return;
    this.#received = [];
    this.#waiting?.resolve(all);
  }
}
