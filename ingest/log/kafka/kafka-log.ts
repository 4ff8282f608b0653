// The log over Kafka: lanes in, groups out, and topics of one partition that every process follows.
import type { Admin } from "kafkajs";
import type { Logger } from "pino";
import { LogboomError } from "../../../schemas/errors.ts";
import type {
  Assignment,
  Consumption,
  Log,
  LogRecord,
  NewRecord,
  PartitionLag,
  Receipt,
  StreamName,
} from "../log.ts";
import { createClients, type Clients, type KafkaConnection } from "./client.ts";
import { unavailable } from "./failures.ts";
import { followTopic } from "./follow.ts";
import { GroupConsumption } from "./group.ts";
import { Lag } from "./lag.ts";
import { Lanes, type Compression, type LaneRecord } from "./lane.ts";
import { Receipts, encodeReceipt } from "./receipts.ts";
import { ensureTopics, type TopicOptions, type Topics } from "./topics.ts";

const OVERLOADED_RETRY_AFTER_SECONDS = 2;
const PROBE_MS = 5_000;

export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  readonly topics: TopicOptions;
  /** Folder of this process's copy of the receipts; without it there are none to be found. */
  readonly receiptsDir?: string;
  /** Bound of the bytes of events that wait for their acknowledgement. */
  readonly maxPendingBytes: number;
  /** Of what is appended; zstd unless told. */
  readonly compression?: Compression;
  readonly logger: Logger;
}

export class KafkaLog implements Log {
  readonly maxBytes: number;
  readonly #clients: Clients;
  readonly #admin: Admin;
  readonly #logger: Logger;
  readonly #topics: Topics;
  readonly #lanes: Lanes;
  readonly #receipts: Receipts | undefined;
  readonly #lag: Lag;
  readonly #open = new Set<Consumption>();
  readonly #probe: NodeJS.Timeout;
  #probeFailure: string | undefined;
  #isClosed = false;

  /** @throws LogboomError UNAVAILABLE when Kafka is away, or a topic is not as it has to be. */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const clients = createClients(options.connection, options.logger);
    const admin = clients.admin({
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    });
    let log: KafkaLog | undefined;
    try {
      await admin.connect();
      const topics = await ensureTopics(admin, options.topics);
      log = new KafkaLog(clients, admin, topics, options);
      await log.#followReceipts();
      return log;
    } catch (error) {
      await (log?.close() ?? admin.disconnect());
      if (error instanceof LogboomError) throw error;
      throw unavailable(`cannot open the log at ${options.connection.brokers.join(",")}`, error);
    }
  }

  private constructor(clients: Clients, admin: Admin, topics: Topics, options: KafkaLogOptions) {
    const { receiptsDir, maxPendingBytes, logger } = options;
    this.maxBytes = maxPendingBytes;
    this.#clients = clients;
    this.#admin = admin;
    this.#topics = topics;
    this.#logger = logger;
    this.#lanes = new Lanes(options.connection, logger, options.compression);
    this.#lag = new Lag(admin, topics.events);
    if (receiptsDir !== undefined) this.#receipts = new Receipts(receiptsDir, topics.logId);
    this.#probe = setInterval(() => void this.#ask(), PROBE_MS).unref();
  }

  get id(): string {
    return this.#topics.logId;
  }

  get partitionCount(): number {
    return this.#topics.partitionCount;
  }

  get sizeBytes(): number {
    return this.#lanes.pendingBytes;
  }

  async append(records: readonly NewRecord[], receipts: readonly Receipt[] = []): Promise<void> {
    this.#refuseWhenClosed();
    const byLane = new Map<string, { topic: string; partition: number; records: LaneRecord[] }>();
    let eventBytes = 0;
    for (const record of records) {
      const { topic, partition, size, taken } = this.#place(record);
      eventBytes += size;
      byLane
        .getOrInsertComputed(`${topic}/${partition}`, () => ({ topic, partition, records: [] }))
        .records.push(taken);
    }
    // Accounts and dead letters are always taken: they are few, and refusing them stops consumers.
    if (eventBytes > 0) this.#refuseBeyondBound(eventBytes);
    await settleAll(
      [...byLane.values()].map((lane) =>
        this.#lanes.append(lane.topic, lane.partition, lane.records),
      ),
    );
    if (receipts.length === 0) return;
    // Only now: a receipt whose events are not in would acknowledge what is not there.
    const receiptRecords = receipts.map((receipt) => ({
      key: receipt.key,
      value: encodeReceipt(receipt),
    }));
    await this.#lanes.append(this.#topics.receipts, 0, receiptRecords);
    this.#receipts?.remember(receipts);
  }

  findReceipt(key: string): string | undefined {
    return this.#receipts?.find(key);
  }

  async follow(stream: StreamName, onRecord: (record: LogRecord) => void): Promise<Consumption> {
    this.#refuseWhenClosed();
    // What compaction has not come to yet: until all is read, of each key the last record counts.
    let latest: Map<string | undefined, LogRecord> | undefined = new Map();
    const following = await followTopic({
      clients: this.#clients,
      logger: this.#logger,
      admin: this.#admin,
      topic: this.#topicOf(stream),
      from: 0,
      onRecords: (records) => {
        for (const record of records) {
          if (latest === undefined) {
            onRecord(record);
          } else {
            latest.delete(record.key);
            latest.set(record.key, record);
          }
        }
      },
    });
    const first = latest;
    latest = undefined;
    for (const record of first.values()) if (record.value.length > 0) onRecord(record);
    return this.#track(following);
  }

  async consume(
    group: string,
    run: (assignment: Assignment) => Promise<void>,
  ): Promise<Consumption> {
    this.#refuseWhenClosed();
    const consumption = new GroupConsumption({
      clients: this.#clients,
      logger: this.#logger,
      admin: this.#admin,
      groupId: this.#groupId(group),
      topic: this.#topics.events,
      partitionCount: this.partitionCount,
      run,
      isLogClosed: () => this.#isClosed,
    });
    return this.#track(consumption);
  }

  /** As last known while Kafka is away. */
  lag(group: string): Promise<PartitionLag[]> {
    return this.#lag.of(this.#groupId(group));
  }

  health(): { isUp: boolean; reason?: string } {
    if (this.#isClosed) return { isUp: false, reason: "closed" };
    const reason = this.#lanes.failure ?? this.#probeFailure;
    return reason === undefined ? { isUp: true } : { isUp: false, reason };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#probe);
    await Promise.allSettled([...this.#open].map((one) => one.close()));
    await this.#lanes.close();
    await this.#admin.disconnect().catch(() => {});
    await this.#receipts?.close();
  }

  async #followReceipts(): Promise<void> {
    const receipts = this.#receipts;
    if (receipts === undefined) return;
    const following = await followTopic({
      clients: this.#clients,
      logger: this.#logger,
      admin: this.#admin,
      topic: this.#topics.receipts,
      from: receipts.next,
      onRecords: (records) => receipts.take(records),
    });
    this.#track(following);
  }

  #place({ stream, partition, key, value }: NewRecord) {
    if (stream === "events") {
      if (!Number.isInteger(partition) || partition < 0 || partition >= this.partitionCount) {
        throw new RangeError(`no partition ${partition} of events`);
      }
      return { topic: this.#topics.events, partition, size: value.length, taken: { value } };
    }
    if (key === undefined) throw new TypeError(`a record of "${stream}" needs a key`);
    const taken = { key, value: value.length === 0 ? null : value };
    return { topic: this.#topicOf(stream), partition: 0, size: 0, taken };
  }

  #topicOf(stream: StreamName): string {
    const { deadLetters, ...topics } = this.#topics;
    return stream === "dead-letters" ? deadLetters : topics[stream];
  }

  #groupId(group: string): string {
    return `${this.#topics.events}.${group}`;
  }

  #track(one: Consumption): Consumption {
    this.#open.add(one);
    return {
      close: async () => {
        this.#open.delete(one);
        await one.close();
      },
    };
  }

  #refuseBeyondBound(addedBytes: number): void {
    const { pendingBytes } = this.#lanes;
    if (pendingBytes + addedBytes <= this.maxBytes || pendingBytes === 0) return;
    throw new LogboomError(
      "OVERLOADED",
      `${pendingBytes} bytes wait for Kafka's acknowledgement; ${addedBytes} more exceed the bound of ${this.maxBytes}`,
      { retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS, details: { limit: this.maxBytes } },
    );
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new LogboomError("UNAVAILABLE", "the log is closed");
  }

  /** In this way an edge that nobody sends to learns, too, that Kafka is away, or back. */
  async #ask(): Promise<void> {
    const { events, minInSync } = this.#topics;
    try {
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [events] });
      const short = topics[0]?.partitions.find(({ isr }) => isr.length < minInSync);
      if (short !== undefined) {
        const has = `${short.isr.length} replicas in sync; ${minInSync} are needed`;
        throw new Error(`partition ${short.partitionId} of ${events} has ${has}`);
      }
      this.#probeFailure = undefined;
      this.#lanes.forgiveIdle();
    } catch (error) {
      this.#probeFailure = error instanceof Error ? error.message : String(error);
    }
  }
}

/** Waits for all, then fails with the first failure: who repeats must not overtake what is on its way. */
async function settleAll(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
