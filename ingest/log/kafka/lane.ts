// The only way into Kafka: one lane a partition, one send of one partition in flight on it.
//
// kafkajs 2.2.4 loses acknowledged records when a send spans partitions while a leader dies (its
// retries skip a broker that has answered before, tulios/kafkajs#1303), and when two idempotent sends to
// one partition overlap (a failed one gives its sequence numbers to the next, which the broker then takes
// for a repeat). A lane can do neither: a block that failed is sent again, under the same numbers, before
// anything else of its partition; and where the numbers are lost, or the block is given up, what follows
// goes through a new producer. The block may then stand in the log twice: readers drop it by its block id.
import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Producer, RecordMetadata } from "kafkajs";
import type { Logger } from "pino";
import type { LogboomError } from "../../../schemas/errors.ts";
import {
  CompressionTypes,
  REQUEST_TIMEOUT_MS,
  createProducer,
  type KafkaConnection,
} from "./client.ts";
import { hasLostSequence, isRefused, unavailable } from "./failures.ts";

/** Records of one send: what a batch of Kafka's compresses together. */
const SEND_BYTES = 1024 * 1024;
const SEND_RECORDS = 1_000;
/** An append that is not acknowledged by then is refused, and its sender repeats it. */
const APPEND_DEADLINE_MS = 20_000;
const BACKOFF_MS = 100;

const compressionTypes = { zstd: CompressionTypes.ZSTD, none: CompressionTypes.None };
export type Compression = keyof typeof compressionTypes;

/** What is appended; null removes the key of a compacted topic. */
export type LaneRecord = Pick<Message, "key" | "value">;

interface Entry {
  readonly records: readonly LaneRecord[];
  readonly sizeBytes: number;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Lanes {
  readonly #producers: Producers;
  readonly #lanes = new Map<string, Lane>();
  readonly #logger: Logger;
  #failure: string | undefined;

  constructor(connection: KafkaConnection, logger: Logger, compression: Compression = "zstd") {
    this.#logger = logger;
    this.#producers = new Producers(() => createProducer(connection, logger), compression);
  }

  /** Bytes taken and neither acknowledged nor given up. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const lane of this.#lanes.values()) bytes += lane.pendingBytes;
    return bytes;
  }

  /** Why the latest send failed; undefined since one succeeded. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Forgets a failure where nothing is on its way: who is told to stay away brings no success. */
  forgiveIdle(): void {
    if (this.pendingBytes === 0) this.#note(undefined);
  }

  /**
   * Resolves once the records are on every in-sync replica.
   *
   * @throws LogboomError UNAVAILABLE when they are not in time; they may be appended all the same.
   */
  append(topic: string, partition: number, records: readonly LaneRecord[]): Promise<void> {
    const lane = this.#lanes.getOrInsertComputed(
      `${topic}/${partition}`,
      () => new Lane(topic, partition, this.#producers, (failure) => this.#note(failure)),
    );
    return lane.append(records);
  }

  #note(failure: string | undefined): void {
    if ((failure === undefined) !== (this.#failure === undefined)) {
      if (failure === undefined) this.#logger.info("Kafka takes records again");
      else this.#logger.warn({ reason: failure }, "Kafka does not take records");
    }
    this.#failure = failure;
  }

  /** Waits for what is on its way, and disconnects. */
  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.idle()));
    await this.#producers.close();
  }
}

class Lane {
  readonly #topic: string;
  readonly #partition: number;
  readonly #producers: Producers;
  readonly #onOutcome: (failure: string | undefined) => void;
  #queue: Entry[] = [];
  #pendingBytes = 0;
  #draining: Promise<void> | undefined;

  constructor(
    topic: string,
    partition: number,
    producers: Producers,
    onOutcome: (failure: string | undefined) => void,
  ) {
    this.#topic = topic;
    this.#partition = partition;
    this.#producers = producers;
    this.#onOutcome = onOutcome;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  append(records: readonly LaneRecord[]): Promise<void> {
    const sizeBytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    return new Promise((resolve, reject) => {
      // A send may hang for longer than its callers may wait.
      const timer = setTimeout(() => reject(this.#tooLate("no answer")), APPEND_DEADLINE_MS);
      this.#pendingBytes += sizeBytes;
      const settle = (): void => {
        clearTimeout(timer);
        this.#pendingBytes -= sizeBytes;
      };
      this.#queue.push({
        records,
        sizeBytes,
        deadline: performance.now() + APPEND_DEADLINE_MS,
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      this.#draining ??= this.#drain();
    });
  }

  async idle(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // What is appended in this turn goes in one send.
    await Promise.resolve();
    for (;;) {
      const now = performance.now();
      const late = this.#queue.filter(({ deadline }) => deadline <= now);
      this.#queue = this.#queue.filter(({ deadline }) => deadline > now);
      for (const { reject } of late)
        reject(this.#tooLate("others before it were not acknowledged"));
      const group = this.#takeGroup();
      if (group.length === 0) {
        this.#draining = undefined;
        return;
      }
      try {
        await this.#send(group);
        this.#onOutcome(undefined);
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#onOutcome(error instanceof Error ? error.message : String(error));
        for (const { reject } of group) reject(error);
      }
    }
  }

  #takeGroup(): Entry[] {
    let bytes = 0;
    let records = 0;
    let count = 0;
    for (const entry of this.#queue) {
      bytes += entry.sizeBytes;
      records += entry.records.length;
      if (count > 0 && (bytes > SEND_BYTES || records > SEND_RECORDS)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Sends until it is acknowledged or its time is over; then nothing more goes through this producer. */
  async #send(group: readonly Entry[]): Promise<void> {
    const messages = group.flatMap(({ records }) =>
      records.map((record) => ({ ...record, partition: this.#partition })),
    );
    const deadline = Math.min(...group.map((entry) => entry.deadline));
    let lease: Lease | undefined;
    try {
      for (;;) {
        try {
          lease ??= await this.#producers.take();
          const reply = await lease.producer.send({
            topic: this.#topic,
            acks: -1,
            timeout: REQUEST_TIMEOUT_MS,
            compression: compressionTypes[this.#producers.compression],
            messages,
          });
          this.#check(reply);
          return;
        } catch (error) {
          const isOver = isRefused(error) || performance.now() + BACKOFF_MS >= deadline;
          if (lease !== undefined && (isOver || hasLostSequence(error))) {
            this.#producers.retire(lease);
            lease = undefined;
          }
          if (isOver) throw unavailable(`cannot append to partition ${this.#name}`, error);
          this.#onOutcome(error instanceof Error ? error.message : String(error));
          await sleep(BACKOFF_MS);
        }
      }
    } finally {
      if (lease !== undefined) this.#producers.release(lease);
    }
  }

  /** A resolved send alone proves nothing: kafkajs resolves some that lack an answer. */
  #check(reply: readonly RecordMetadata[]): void {
    const answer = reply.find(
      ({ topicName, partition }) => topicName === this.#topic && partition === this.#partition,
    );
    if (answer?.errorCode !== 0) throw new Error(`no acknowledgement of partition ${this.#name}`);
  }

  get #name(): string {
    return `${this.#partition} of ${this.#topic}`;
  }

  #tooLate(reason: string): LogboomError {
    return unavailable(
      `partition ${this.#name} did not acknowledge within ${APPEND_DEADLINE_MS} ms`,
      reason,
    );
  }
}

/** One producer for as long as a block is on its way. */
interface Lease {
  readonly producer: Producer;
  uses: number;
  isRetired: boolean;
}

/** The producer that lanes share, and those that are retired but still in use. */
class Producers {
  readonly compression: Compression;
  readonly #create: () => Producer;
  #current: Promise<Lease> | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(create: () => Producer, compression: Compression) {
    this.compression = compression;
    this.#create = create;
  }

  async take(): Promise<Lease> {
    this.#current ??= this.#connect().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    const lease = await this.#current;
    // Between two lanes that waited for it, the first may have retired it.
    if (lease.isRetired) return this.take();
    lease.uses++;
    return lease;
  }

  release(lease: Lease): void {
    lease.uses--;
    if (lease.isRetired && lease.uses === 0) this.#disconnect(lease);
  }

  /** Gives the lease back; later ones get a new producer, with numbers that begin anew. */
  retire(lease: Lease): void {
    if (!lease.isRetired) this.#current = undefined;
    lease.isRetired = true;
    this.release(lease);
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    const lease = await current?.catch(() => undefined);
    if (lease !== undefined) this.#disconnect(lease);
    await Promise.all(this.#ending);
  }

  async #connect(): Promise<Lease> {
    const producer = this.#create();
    try {
      await producer.connect();
    } catch (error) {
      await producer.disconnect().catch(() => {});
      throw error;
    }
    return { producer, uses: 0, isRetired: false };
  }

  #disconnect({ producer }: Lease): void {
    const ending: Promise<void> = producer
      .disconnect()
      .catch(() => {})
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
