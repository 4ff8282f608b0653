// Reads the datagrams that wait in a UDP socket, many with one system call: Node.js takes one for each.
import type { Socket } from "node:dgram";
import ffi from "node:ffi";
import { readdirSync, readlinkSync } from "node:fs";
import { readUdpRows } from "./udp-table.ts";

/** Datagrams of one call: with twice as many each costs the same, with half as many more. */
const SLOTS = 8;
/** No datagram is longer. The system gives memory for as much of it as has been written. */
const SLOT_BYTES = 65_536;
/** In Linux's headers. */
const MSG_DONTWAIT = 0x40;
/** The kernel's `struct iovec`, in words of 64 bits: address, length. */
const VECTOR_WORDS = 2;
/** The kernel's `struct mmsghdr`, and in it the address of the vectors, their count and, in its low half, what was read. */
const HEADER_WORDS = 8;
const HEADER_VECTORS = 2;
const HEADER_VECTOR_COUNT = 3;
const HEADER_LENGTH = 7;

/** Hands over what waits, up to {@link SLOTS} datagrams; the bytes of each are good for that call alone. */
export type ReadWaiting = (onDatagram: (datagram: Buffer) => void) => void;

/** @returns undefined where the system has no such call, or does not say which file the socket is */
export function openWaiting(socket: Socket): ReadWaiting | undefined {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) return undefined;
  const descriptor = findDescriptor(socket);
  const functions = findFunctions();
  if (descriptor === undefined || functions === undefined) return undefined;
  const bytes = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES);
  const words = new BigUint64Array(SLOTS * (HEADER_WORDS + VECTOR_WORDS));
  const headersAt = ffi.getRawPointer(words);
  const bytesAt = ffi.getRawPointer(bytes);
  for (let slot = 0; slot < SLOTS; slot++) {
    const header = slot * HEADER_WORDS;
    const vector = SLOTS * HEADER_WORDS + slot * VECTOR_WORDS;
    words[header + HEADER_VECTORS] = headersAt + BigInt(vector * words.BYTES_PER_ELEMENT);
    words[header + HEADER_VECTOR_COUNT] = 1n;
    words[vector] = bytesAt + BigInt(slot * SLOT_BYTES);
    words[vector + 1] = BigInt(SLOT_BYTES);
  }
  const halves = new Uint32Array(words.buffer);
  return (onDatagram) => {
    // Below 0 when none waits.
    const count = functions.recvmmsg(descriptor, headersAt, SLOTS, MSG_DONTWAIT, 0n);
    for (let slot = 0; slot < count; slot++) {
      const start = slot * SLOT_BYTES;
      const length = halves[2 * (slot * HEADER_WORDS + HEADER_LENGTH)] ?? 0;
      onDatagram(bytes.subarray(start, start + length));
    }
  };
}

function findFunctions() {
  try {
    return ffi.dlopen(null, {
      recvmmsg: { arguments: ["i32", "pointer", "u32", "i32", "pointer"], return: "i32" },
    }).functions;
  } catch {
    return undefined;
  }
}

/** Node.js does not tell the number that the system knows a socket by. */
function findDescriptor(socket: Socket): number | undefined {
  const names = new Set(readUdpRows(socket).map(({ inode }) => `socket:[${inode}]`));
  if (names.size === 0) return undefined;
  const own = readdirSync("/proc/self/fd").find((name) => names.has(linkOf(name)));
  return own === undefined ? undefined : Number(own);
}

function linkOf(name: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    // The folder was open while it was read, and is no more.
    return "";
  }
}
