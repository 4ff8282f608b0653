// A key is what was captured, cut to 31 bytes at a character's boundary: in the store and here alike.

const MAX_KEY_BYTES = 31;

/** The key of a captured text. */
export function cutKey(captured: Buffer): string {
  if (captured.length <= MAX_KEY_BYTES) return captured.toString("utf8");
  let end = MAX_KEY_BYTES;
  // A continuation byte at the cut belongs to a character that would be cut in two.
  while (end > 0 && ((captured[end] ?? 0) & 0xc0) === 0x80) end--;
  return captured.subarray(0, end).toString("utf8");
}

/** The same in SQL, for the name of a String column. */
export function cutKeySql(column: string): string {
  const isContinuation = (position: number) =>
    `bitAnd(reinterpretAsUInt8(substring(${column}, ${position}, 1)), 0xC0) = 0x80`;
  // A character has at most four bytes, so the cut moves back by three at the most.
  return `multiIf(
    length(${column}) <= ${MAX_KEY_BYTES}, ${column},
    NOT ${isContinuation(32)}, substring(${column}, 1, 31),
    NOT ${isContinuation(31)}, substring(${column}, 1, 30),
    NOT ${isContinuation(30)}, substring(${column}, 1, 29),
    substring(${column}, 1, 28))`;
}
