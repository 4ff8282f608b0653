// Networks of IP addresses in CIDR notation, and which texts are addresses of them.
import { isIP } from "node:net";

export interface Network {
  readonly version: 4 | 6;
  /** First and last address, as text. */
  readonly first: string;
  readonly last: string;
}

/** Reads `10.0.0.0/8`, `fe80::/10` or a single address; undefined if it is none. */
export function readNetwork(text: string): Network | undefined {
  const [, address = "", digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version !== 4 && version !== 6) return undefined;
  const bits = version === 4 ? 32 : 128;
  const kept = digits === undefined ? bits : Number(digits);
  if (kept > bits) return undefined;
  const free = (1n << BigInt(bits - kept)) - 1n;
  const number = toNumber(address);
  return { version, first: write(number & ~free, version), last: write(number | free, version) };
}

/** Whether the text is an address of the network. */
export function isInNetwork(network: Network, text: string): boolean {
  if (text.length > 45 || text.includes("%") || isIP(text) !== network.version) return false;
  const number = toNumber(text);
  return number >= toNumber(network.first) && number <= toNumber(network.last);
}

/** The bits of a valid address. */
function toNumber(address: string): bigint {
  if (!address.includes(":")) {
    return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  }
  const tail = /[^:]*\.[^:]*$/.exec(address)?.[0];
  const last = tail === undefined ? 0n : toNumber(tail);
  const groups = (tail === undefined ? address : `${address.slice(0, -tail.length)}0:0`).split(
    "::",
  );
  const [head = [], end = []] = groups.map((part) => (part === "" ? [] : part.split(":")));
  const zeros = groups.length > 1 ? 8 - head.length - end.length : 0;
  const all = [...head, ...Array.from({ length: zeros }, () => "0"), ...end];
  return all.reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n) | last;
}

function write(number: bigint, version: 4 | 6): string {
  const [count, size, base] = version === 4 ? [4, 8, 10] : [8, 16, 16];
  const parts = Array.from({ length: count }, (_, index) => {
    const part = (number >> BigInt((count - 1 - index) * size)) & ((1n << BigInt(size)) - 1n);
    return part.toString(base);
  });
  return parts.join(version === 4 ? "." : ":");
}
