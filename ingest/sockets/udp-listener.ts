// A UDP port of one line protocol: each datagram is a line, or a few; what does not fit is dropped and counted.
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { LineProtocol, LineSink } from "../protocols/line-protocol.ts";
import { splitLines } from "../protocols/lines.ts";
import { readUdpRows } from "./udp-table.ts";
import { openWaiting, type ReadWaiting } from "./waiting-datagrams.ts";

const LF = 0x0a;
/** A burst waits in the kernel for so long as this has room; the system may allow less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** At the end, so long without a datagram means that none is waiting. */
const QUIET_MS = 50;

interface UdpListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: LineProtocol;
  readonly sink: LineSink;
  readonly isFull: () => boolean;
  /** Told of datagrams that the kernel had no room for. */
  readonly onLost: (count: number) => void;
}

export class UdpListener {
  readonly #socket: Socket;
  readonly #options: UdpListenerOptions;
  #readWaiting: ReadWaiting | undefined;
  #received = 0;
  #lost = 0;
  #isClosed = false;

  static async open(options: UdpListenerOptions): Promise<UdpListener> {
    const listener = new UdpListener(options);
    await new Promise<void>((resolve, reject) => {
      listener.#socket.once("error", reject);
      listener.#socket.bind(options.port, options.host, () => {
        listener.#socket.off("error", reject);
        // A datagram that cannot be received is lost, as any may be.
        listener.#socket.on("error", () => {});
        listener.#readWaiting = openWaiting(listener.#socket);
        resolve();
      });
    });
    return listener;
  }

  private constructor(options: UdpListenerOptions) {
    this.#options = options;
    this.#socket = createSocket({
      type: isIPv6(options.host) ? "udp6" : "udp4",
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    const { keepsNoBytes = false } = options.protocol;
    const takeWaiting = (datagram: Buffer): void => {
      this.#take(keepsNoBytes ? datagram : Buffer.from(datagram));
    };
    this.#socket.on("message", (datagram) => {
      this.#take(datagram);
      this.#readWaiting?.(takeWaiting);
    });
  }

  #take(datagram: Buffer): void {
    const { protocol, sink, isFull } = this.#options;
    this.#received++;
    // Senders cannot be made to wait.
    if (isFull()) {
      sink.drop("overloaded");
      return;
    }
    // Datagrams of many senders come here: nothing is remembered from one to the next.
    const handle = protocol.open(sink);
    if (datagram.includes(LF)) for (const line of splitLines(datagram)) handle(line, false);
    else if (datagram.length > 0) handle(datagram, false);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Counts what the kernel dropped since the last look: nobody but the kernel sees it. */
  refresh(): void {
    // A scrape may come while the last of it is drained.
    if (this.#isClosed) return;
    const lost = readUdpRows(this.#socket).reduce((sum, { dropped }) => sum + dropped, 0);
    if (lost > this.#lost) this.#options.onLost(lost - this.#lost);
    this.#lost = lost;
  }

  /** Takes in what the kernel still holds. */
  async close(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let received;
    do {
      received = this.#received;
      await sleep(QUIET_MS);
    } while (this.#received > received && performance.now() < deadline);
    this.refresh();
    this.#isClosed = true;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}
