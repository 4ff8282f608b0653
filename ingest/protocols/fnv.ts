// FNV-1a of 32 bits, byte by byte, for who looks up bytes without making a string of them.

export const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The hash with another byte. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, FNV_PRIME);
}
