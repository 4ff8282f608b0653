// A TCP port of one line protocol: connections within bounds, TLS where it is spoken, and an orderly end.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { createSecureContext, TLSSocket, type SecureContext } from "node:tls";
import type { MemoryBudget } from "../memory-budget.ts";
import type { LineProtocol, LineSink } from "../protocols/line-protocol.ts";
import type { Flows } from "./flows.ts";
import { LineBuffer } from "./line-buffer.ts";

/** First byte of a TLS handshake; no line of these protocols begins with it. */
const TLS_HANDSHAKE = 0x16;
const HANDSHAKE_TIMEOUT_MS = 20_000;
/** Finds peers that are gone without a word. */
const KEEP_ALIVE_MS = 60_000;
/** At the end, a connection that was silent for so long has nothing more on its way. */
const QUIET_MS = 200;
/** Turns of the event loop without a new connection, after which none waits. */
const QUIET_TURNS = 3;

/**
 * What the unfinished lines of a door may hold together: those of connections that have brought an event
 * before, and those of newcomers, who so cannot take the others' room.
 */
export interface PartialLines {
  readonly proven: MemoryBudget;
  readonly newcomers: MemoryBudget;
}

export interface TlsIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface TcpListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: LineProtocol;
  readonly maxLineBytes: number;
  readonly maxConnections: number;
  /** TLS is spoken where a client begins with it; with `isTlsOnly`, plain lines are refused. */
  readonly tls?: TlsIdentity | undefined;
  readonly isTlsOnly?: boolean;
  readonly sink: LineSink;
  readonly isFull: () => boolean;
  readonly flows: Flows;
  readonly partialLines: PartialLines;
  readonly onCount: (connections: number) => void;
  readonly onRefuse: () => void;
}

interface Connection {
  /** The socket, or TLS above it. */
  readonly stream: Socket;
  /** Takes an unfinished line as it is. */
  readonly endLine: () => void;
}

export class TcpListener {
  readonly #options: TcpListenerOptions;
  readonly #server: Server;
  readonly #secureContext: SecureContext | undefined;
  readonly #connections = new Map<Socket, Connection>();
  /** Those that have not brought an event yet, oldest first: they go when there is no more room. */
  readonly #unproven = new Set<Socket>();
  #lastDataAt = 0;
  #admitted = 0;

  static async open(options: TcpListenerOptions): Promise<TcpListener> {
    const listener = new TcpListener(options);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen(options.port, options.host, () => {
        listener.#server.off("error", reject);
        resolve();
      });
    });
    return listener;
  }

  private constructor(options: TcpListenerOptions) {
    this.#options = options;
    this.#server = createServer(
      { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#admit(socket),
    );
    if (options.tls !== undefined) this.#secureContext = createSecureContext(options.tls);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes in what has arrived, tells clients to go, and ends what they have not finished. */
  async close(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    await this.#admitWaiting(deadline);
    this.#server.close();
    this.#lastDataAt = performance.now();
    for (const { stream } of this.#connections.values()) stream.end();
    while (this.#connections.size > 0 && performance.now() < deadline) {
      const isQuiet = performance.now() - this.#lastDataAt > QUIET_MS;
      if (isQuiet && this.#options.flows.waitingCount === 0) break;
      await sleep(20);
    }
    for (const [socket, { endLine }] of this.#connections) {
      endLine();
      socket.destroy();
    }
  }

  /**
   * Peers that have connected, and perhaps sent, and are not admitted yet would be cut off with the listening
   * socket. Each turn of the event loop admits at least one of them.
   */
  async #admitWaiting(deadline: number): Promise<void> {
    let quietTurns = 0;
    while (quietTurns < QUIET_TURNS && performance.now() < deadline) {
      const admitted = this.#admitted;
      await nextTurn();
      quietTurns = this.#admitted === admitted ? quietTurns + 1 : 0;
    }
  }

  #admit(socket: Socket): void {
    this.#admitted++;
    if (this.#connections.size >= this.#options.maxConnections) {
      this.#options.onRefuse();
      const [oldest = socket] = this.#unproven;
      this.#forget(oldest);
      oldest.destroy();
      if (oldest === socket) return;
    }
    this.#connections.set(socket, { stream: socket, endLine: () => {} });
    this.#unproven.add(socket);
    this.#options.onCount(this.#connections.size);
    this.#options.flows.add(socket);
    // What went wrong with a connection is the peer's affair.
    socket.on("error", () => {});
    socket.once("close", () => this.#forget(socket));
    if (this.#secureContext === undefined) this.#readLines(socket, socket);
    else socket.once("data", (first: Buffer) => this.#sniff(socket, first));
  }

  #forget(socket: Socket): void {
    this.#connections.delete(socket);
    this.#unproven.delete(socket);
    this.#options.flows.delete(socket);
    this.#options.onCount(this.#connections.size);
  }

  #sniff(socket: Socket, first: Buffer): void {
    const { isTlsOnly = false, onRefuse, flows } = this.#options;
    const isTls = first[0] === TLS_HANDSHAKE;
    if (!isTls && isTlsOnly) {
      onRefuse();
      socket.destroy();
      return;
    }
    // The first bytes go back to be read again, by TLS or as lines.
    socket.pause();
    socket.unshift(first);
    if (!isTls) {
      this.#readLines(socket, socket);
      socket.resume();
      return;
    }
    const secure = new TLSSocket(socket, {
      isServer: true,
      ...(this.#secureContext !== undefined && { secureContext: this.#secureContext }),
    });
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    secure.once("secure", () => clearTimeout(timer));
    secure.once("close", () => {
      clearTimeout(timer);
      flows.delete(secure);
      socket.destroy();
    });
    secure.on("error", () => {});
    // From here on it is TLS that runs or waits.
    flows.delete(socket);
    flows.add(secure);
    this.#readLines(secure, socket);
  }

  /** @param raw the connection below TLS, or the same */
  #readLines(stream: Socket, raw: Socket): void {
    const { protocol, sink, maxLineBytes, partialLines, isFull, flows } = this.#options;
    const lines = new LineBuffer({
      ...protocol,
      maxBytes: maxLineBytes,
      budget: () => (this.#unproven.has(raw) ? partialLines.newcomers : partialLines.proven),
      onLine: protocol.open({
        ...sink,
        store: (principal, event, sizeBytes) => {
          this.#unproven.delete(raw);
          sink.store(principal, event, sizeBytes);
        },
      }),
      onDrop: (reason) => sink.drop(reason),
    });
    const endLine = (): void => {
      stream.off("data", onData);
      lines.end();
    };
    const onData = (piece: Buffer): void => {
      this.#lastDataAt = performance.now();
      lines.push(piece);
      if (isFull()) flows.hold();
    };
    this.#connections.set(raw, { stream, endLine });
    stream.on("data", onData);
    // A peer may end, or be cut off, in the middle of a line: what came is an event.
    stream.once("close", endLine);
  }
}
