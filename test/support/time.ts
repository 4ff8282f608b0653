// Writes times as the search API reads them.

/** The default range of a search, in ns since the epoch. */
export const defaultBegin = 3_600_000_000_000n;
export const defaultEnd = BigInt(Date.UTC(2254, 6, 22, 1, 34, 33)) * 1_000_000n;

/** `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`, UTC, of a time that is not negative. */
export function formatTime(ns: bigint): string {
  const seconds = ns / 1_000_000_000n;
  const text = new Date(Number(seconds) * 1000).toISOString();
  const fraction = String(ns % 1_000_000_000n).padStart(9, "0");
  return `${text.slice(0, 10)} ${text.slice(11, 19)}.${fraction}`;
}
