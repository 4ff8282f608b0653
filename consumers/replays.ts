// Dead letters on their way through the log again, as an operator wants it: each once, and gone only when it is in.
//
// The command line only asks, in a stream of its own: one process may append events to the embedded log. The
// owner of a letter's partition appends it between two batches, and then takes letter and request away. Were it
// to die in between, the next owner appends the letter again: what the first one appended lies behind the
// group's position then, so the second record is known, by its receipt in the embedded log, by its block id
// in Kafka.
import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { namedBlockId } from "../schemas/block-id.ts";
import { encodeContainer } from "../schemas/event-codec.ts";
import type { Instruments } from "../schemas/instruments.ts";
import type { Consumption, Log, LogRecord } from "../ingest/log/log.ts";
import { letterId, parseLetter, readEvents, type DeadLetter } from "./dead-letters.ts";
import { writeEvents } from "./write-events.ts";

/** A request that an interrupted command writes late is known for so long to be done. */
const RECEIPT_MS = 7 * 86_400_000;

interface ReplaysOptions {
  readonly log: Log;
  readonly instruments: Instruments;
  readonly logger: Logger;
}

export class Replays {
  readonly #options: ReplaysOptions;
  /** What is asked for and not done, by letter. */
  readonly #wanted = new Map<string, DeadLetter>();
  #following: Consumption | undefined;

  /** Resolves when all that was asked for before is known. */
  static async open(options: ReplaysOptions): Promise<Replays> {
    const replays = new Replays(options);
    replays.#following = await options.log.follow("replays", (record) => replays.#take(record));
    return replays;
  }

  private constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /**
   * Appends what is wanted of a partition; call it as the partition's owner, between two batches. What the
   * log does not take now is tried at the next call.
   */
  async replay(partition: number): Promise<void> {
    const { log, logger } = this.#options;
    for (const [id, letter] of this.#wanted) {
      // The letter may be of a log that had more partitions.
      if (letter.partition % log.partitionCount !== partition) continue;
      try {
        await this.#replayOne(letter, partition);
        this.#wanted.delete(id);
      } catch (error) {
        logger.warn({ err: error, letter: id }, "dead letter not replayed; trying again");
        return;
      }
    }
  }

  async close(): Promise<void> {
    await this.#following?.close();
  }

  #take({ key = "", value }: LogRecord): void {
    if (value.length === 0) this.#wanted.delete(key);
    else this.#wanted.set(key, parseLetter(value));
  }

  async #replayOne(letter: DeadLetter, partition: number): Promise<void> {
    const { log, logger, instruments } = this.#options;
    const id = letterId(letter);
    const remove = (stream: "dead-letters" | "replays") => ({
      stream,
      partition: 0,
      key: id,
      value: Buffer.alloc(0),
    });
    let events;
    try {
      events = readEvents(letter);
    } catch (error) {
      logger.error({ err: error, letter: id }, "dead letter stays: it cannot be read");
      instruments.logboom_dead_letter_replays_total.inc({ outcome: "unreadable" });
      await log.append([remove("replays")]);
      return;
    }
    const name = `replay\0${log.id}\0${id}`;
    const receipt = `replay/${createHash("sha256").update(name).digest("hex")}`;
    if (log.findReceipt(receipt) === undefined) {
      const value = encodeContainer(namedBlockId(name), [writeEvents(events)]);
      const expiresAt = Date.now() + RECEIPT_MS;
      const record = { stream: "events" as const, partition, value };
      await log.append([record], [{ key: receipt, value: id, expiresAt }]);
    }
    // Only now, and in this order: who asks again finds no letter.
    await log.append([remove("dead-letters")]);
    await log.append([remove("replays")]);
    instruments.logboom_dead_letter_replays_total.inc({ outcome: "appended" });
    logger.info({ letter: id, events: events.length }, "dead letter replayed");
  }
}
