// A bare UDP socket of Node.js that counts datagrams and does nothing with them.
import { createSocket } from "node:dgram";

/** What the program answers to any message. */
export interface DatagramState {
  readonly port: number;
  /** User and system time of all threads since the start. */
  readonly cpuMicros: number;
  readonly datagrams: number;
}

let datagrams = 0;
const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
const tell = (): void => {
  const { user, system } = process.cpuUsage();
  const { port } = socket.address();
  process.send?.({ port, cpuMicros: user + system, datagrams } satisfies DatagramState);
};
socket.on("message", () => datagrams++);
process.on("message", tell);
// A benchmark that was killed leaves nothing behind.
process.on("disconnect", () => process.exit());
socket.bind(0, "127.0.0.1", tell);
