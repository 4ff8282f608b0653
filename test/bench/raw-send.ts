// Sends lines over TCP or UDP, no faster than the service takes them.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { splitLines } from "../../ingest/protocols/lines.ts";

/** Datagrams of some hundred bytes that any kernel has room for. */
const BURST = 200;

/** Each body over one connection; resolves when all is written and the service has read to the end. */
export async function sendTcp(port: number, bodies: readonly Buffer[]): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.resume();
  for (const body of bodies) {
    if (!socket.write(body)) await once(socket, "drain");
  }
  const closed = once(socket, "close");
  socket.end();
  await closed;
}

/** A datagram for each line, in bursts; the next when the kernel holds none of the last any more. */
export async function sendUdp(port: number, bodies: readonly Buffer[]): Promise<void> {
  const socket = createSocket("udp4");
  let waiting: Promise<void>[] = [];
  const settle = async (): Promise<void> => {
    await Promise.all(waiting);
    waiting = [];
    while (queuedBytes(port) > 0) await sleep(1);
  };
  for (const line of bodies.flatMap((body) => [...splitLines(body)])) {
    waiting.push(
      new Promise((resolve, reject) => {
        socket.send(line, port, "127.0.0.1", (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    );
    if (waiting.length === BURST) await settle();
  }
  await settle();
  socket.close();
}

/** Bytes that wait in the kernel for the reader of a UDP port (Linux). */
function queuedBytes(port: number): number {
  const place = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const row = readFileSync("/proc/net/udp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, local = ""]) => local.endsWith(place));
  return Number.parseInt(row?.[4]?.split(":")[1] ?? "0", 16);
}
