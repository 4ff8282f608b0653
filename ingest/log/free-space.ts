// Keeps events from using up the disk: what frees the log has to be written, too.
//
// After a commit that finds no room LMDB's binding (3.5.6) is of no use any more: it waits for ever for what was to be
// flushed, and rejects promises that nobody has.
import { statfs } from "node:fs/promises";
import { LogboomError } from "../../schemas/errors.ts";

/** Left to positions, accounts and dead letters, and to the index of what is being appended. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const LOOK_AGAIN_MS = 100;
const RETRY_AFTER_SECONDS = 2;

export class FreeSpace {
  readonly #dir: string;
  #freeBytes = Number.POSITIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Why nothing is taken; undefined when it is. As known at the last look, which this renews for the next time. */
  get shortage(): string | undefined {
    if (performance.now() - this.#lookedAt > LOOK_AGAIN_MS) this.look().catch(() => {});
    return this.#freeBytes > RESERVE_BYTES ? undefined : this.#tell();
  }

  /**
   * @param arrivingBytes of all appends under way, this one's included
   * @throws LogboomError OVERLOADED when they would use up what is kept for others
   */
  async take(sizeBytes: number, arrivingBytes: number): Promise<void> {
    if (performance.now() - this.#lookedAt > LOOK_AGAIN_MS) await this.look();
    if (this.#freeBytes - arrivingBytes < RESERVE_BYTES) {
      throw new LogboomError("OVERLOADED", this.#tell(), {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        details: { limit: RESERVE_BYTES },
      });
    }
    this.#freeBytes -= sizeBytes;
  }

  /** Asks the file system; once for all who ask meanwhile. */
  look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #ask(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#dir);
    this.#freeBytes = bavail * bsize;
    this.#lookedAt = performance.now();
  }

  #tell(): string {
    return `the disk of the log has ${Math.max(0, this.#freeBytes)} bytes free; ${RESERVE_BYTES} are kept for what empties it`;
  }
}
