// Linux's table of UDP sockets (proc_net): what nobody but the kernel knows of them.
import type { Socket } from "node:dgram";
import { readFileSync } from "node:fs";

const INODE_COLUMN = 9;

interface UdpRow {
  /** By which the system names the socket in `/proc/PID/fd`. */
  readonly inode: string;
  /** Datagrams that there was no room for. */
  readonly dropped: number;
}

/** The sockets of a port, of any address; none on other systems. */
export function readUdpRows(socket: Socket): UdpRow[] {
  const { family, port } = socket.address();
  const place = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  try {
    return readFileSync(family === "IPv6" ? "/proc/net/udp6" : "/proc/net/udp", "latin1")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = ""]) => local.endsWith(place))
      .map((columns) => ({
        inode: columns[INODE_COLUMN] ?? "",
        dropped: Number(columns.at(-1)),
      }));
  } catch {
    return [];
  }
}
