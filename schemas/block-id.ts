// The ids that name blocks of events, by which one that stands in the log twice is recognised.
import { createHash, randomBytes } from "node:crypto";

export const BLOCK_ID_LENGTH = 16;
/** What ids begin with that are never given again; 12 random bytes follow. */
const UNIQUE_START = "once";

/** Of a block that nobody forms again: it comes twice only where a lane of Kafka's sends it again. */
export function uniqueBlockId(): Buffer {
  const id = randomBytes(BLOCK_ID_LENGTH);
  id.write(UNIQUE_START, "latin1");
  return id;
}

/** The same of the same name, whoever asks: of a block whose repeat, wherever it is formed, has to be known. */
export function namedBlockId(name: string): Buffer {
  return createHash("sha256").update(name).digest().subarray(0, BLOCK_ID_LENGTH);
}

/** @param id as `blockIdOf` gives it */
export function isUniqueBlockId(id: string): boolean {
  return id.startsWith(UNIQUE_START);
}
