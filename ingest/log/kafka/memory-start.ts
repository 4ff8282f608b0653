// From where a new owner of a partition has to read, to know the first of two records with one block id.

/** An edge repeats a record for less than half a minute. */
const MEMORY_MS = 60_000;
/** By how much more the age of a record is tried. */
const AGE_STEP = 1.25;

/**
 * A position of at least a minute before the record at an offset. What waits may be days old, and its age is known only
 * by asking which offset has which age.
 *
 * @param now ms since the epoch
 * @param offsetOf the offset of the first record that was appended at a time, ms since the epoch, or later; the end if none was
 */
export async function findMemoryStart(
  offset: number,
  now: number,
  offsetOf: (time: number) => Promise<number>,
): Promise<number> {
  let ageMs = MEMORY_MS;
  while (ageMs < now && (await offsetOf(Math.floor(now - ageMs))) > offset) ageMs *= AGE_STEP;
  return Math.min(offset, await offsetOf(Math.max(0, Math.floor(now - ageMs - MEMORY_MS))));
}
