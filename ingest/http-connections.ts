// The connections of an HTTP server: how many there may be, and what becomes of one over which no HTTP comes.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { malformedReply } from "./malformed-request.ts";

interface HttpConnectionsOptions {
  readonly maxConnections: number;
  /** Told of each connection that is closed to stay within the limit. */
  readonly onRefuse: () => void;
}

export class HttpConnections {
  readonly #options: HttpConnectionsOptions;
  /** Requests on their way, by connection; clients may send the next before the answer. */
  readonly #open = new Map<Socket, Set<IncomingMessage>>();
  /** Connections without a request; the one that has waited longest is first. */
  readonly #idle = new Set<Socket>();
  /** Those that are closed as soon as their last request is answered. */
  readonly #ending = new WeakSet<Socket>();

  constructor(server: Server, options: HttpConnectionsOptions) {
    this.#options = options;
    server.on("connection", (socket) => this.#admit(socket));
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      this.#refuse(error, socket as Socket);
    });
  }

  /** To be told of each request. */
  note(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const requests = this.#open.get(socket);
    requests?.add(request);
    this.#idle.delete(socket);
    response.once("close", () => {
      requests?.delete(request);
      if (requests?.size !== 0 || !this.#open.has(socket)) return;
      if (this.#ending.has(socket)) socket.destroySoon();
      else this.#idle.add(socket);
    });
  }

  /** Peers that connect and ask nothing cannot shut others out. */
  #admit(socket: Socket): void {
    this.#open.set(socket, new Set());
    this.#idle.add(socket);
    socket.once("close", () => this.#forget(socket));
    if (this.#open.size <= this.#options.maxConnections) return;
    this.#options.onRefuse();
    const [longest = socket] = this.#idle;
    this.#forget(longest);
    longest.destroy();
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#idle.delete(socket);
  }

  /**
   * While whole requests wait for their answers, ours could be taken for one of theirs: the connection then
   * ends after them.
   */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (this.#ending.has(socket)) return;
    this.#ending.add(socket);
    const requests = [...(this.#open.get(socket) ?? [])];
    if (requests.some(({ complete }) => complete)) return;
    if (socket.writable && error.code !== "ECONNRESET") socket.write(malformedReply(error));
    socket.destroySoon();
  }
}
