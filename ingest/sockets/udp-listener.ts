// A UDP port of one line protocol: each datagram is a line, or a few; what does not fit is dropped and counted.
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { LineProtocol, LineSink } from "../protocols/line-protocol.ts";
import { splitLines } from "../protocols/lines.ts";

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
  readonly #onLost: (count: number) => void;
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
        resolve();
      });
    });
    return listener;
  }

  private constructor({ host, protocol, sink, isFull, onLost }: UdpListenerOptions) {
    this.#onLost = onLost;
    this.#socket = createSocket({
      type: isIPv6(host) ? "udp6" : "udp4",
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    this.#socket.on("message", (datagram) => {
      this.#received++;
      // Senders cannot be made to wait.
      if (isFull()) sink.drop("overloaded");
      else {
        // Datagrams of many senders come here: nothing is remembered from one to the next.
        const handle = protocol.open(sink);
        if (datagram.includes(LF)) for (const line of splitLines(datagram)) handle(line, false);
        else if (datagram.length > 0) handle(datagram, false);
      }
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Counts what the kernel dropped since the last look: nobody but the kernel sees it. */
  refresh(): void {
    // A scrape may come while the last of it is drained.
    if (this.#isClosed) return;
    const lost = readKernelDrops(this.#socket.address());
    if (lost > this.#lost) this.#onLost(lost - this.#lost);
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

/** The last column of the port's row in Linux's table of sockets (proc_net); 0 where there is none. */
function readKernelDrops({ family, port }: { family: string; port: number }): number {
  const place = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  try {
    return readFileSync(family === "IPv6" ? "/proc/net/udp6" : "/proc/net/udp", "latin1")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = ""]) => local.endsWith(place))
      .reduce((sum, columns) => sum + Number(columns.at(-1)), 0);
  } catch {
    return 0;
  }
}
