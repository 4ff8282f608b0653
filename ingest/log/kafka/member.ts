// Membership of one consumer group on one topic: assignments, records and commits, over every reconnection.
import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, EachBatchPayload, KafkaMessage, PartitionAssigner } from "kafkajs";
import type { Logger } from "pino";
import { PartitionAssigners, type Clients } from "./client.ts";
import { unavailable } from "./failures.ts";

/** The least that brokers take; partitions of a crashed member are another's after it. */
const SESSION_TIMEOUT_MS = 6_000;
const HEARTBEAT_MS = 1_000;
const REBALANCE_TIMEOUT_MS = 20_000;
/** Bounds how long a stop or a rebalance waits for a fetch that finds nothing. */
const FETCH_WAIT_MS = 250;
/** Compressed; see compression.ts for what it may become. */
const FETCH_BYTES_PER_PARTITION = 512 * 1024;
const FETCH_BYTES = 2 * 1024 * 1024;
const REJOIN_MS = 1_000;

/** What kafkajs 2.2.4 has in a message, and its types leave out. */
export type FetchedMessage = KafkaMessage & {
  /** Of the batch that it came in, which is one send of one producer. */
  readonly batchContext?: { readonly firstSequence: number };
};

export interface Fetched {
  readonly partition: number;
  readonly from: number;
  readonly messages: readonly FetchedMessage[];
  /** One past the newest record of the partition. */
  readonly highWatermark: number;
}

interface MemberEvents {
  /** Whatever was assigned may be another's from now on. Called before each join and at the end. */
  onLost(): void;
  /** Fetching of these begins where the group stands, unless {@link Member.seek} or pause is called here. */
  onAssigned(partitions: readonly number[]): void;
  /**
   * Records as fetched from an offset on. False sends them back: a fetch that was under way during a
   * seek or a rebalance may come late, and the next one begins where it had begun.
   */
  onFetched(fetched: Fetched): boolean;
}

interface MemberOptions extends MemberEvents {
  readonly clients: Clients;
  readonly logger: Logger;
  readonly groupId: string;
  readonly topic: string;
  readonly partitionCount: number;
}

export class Member {
  readonly #options: MemberOptions;
  #consumer: Consumer | undefined;
  #commitOnce: EachBatchPayload["commitOffsetsIfNecessary"] | undefined;
  #joining: Promise<void> = Promise.resolve();
  /** When kafkajs began to join, of performance.now; undefined once it has. */
  #joiningSince: number | undefined;
  #isClosed = false;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  /** Joins in the background: after a crash the group waits for the session of the one before. */
  join(): void {
    this.#joining = this.#joinUntilClosed();
  }

  async #joinUntilClosed(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#joinOnce();
        return;
      } catch (error) {
        const { groupId, logger } = this.#options;
        logger.warn({ err: error, groupId }, "cannot join the consumer group; trying again");
        await sleep(REJOIN_MS);
      }
    }
  }

  async #joinOnce(): Promise<void> {
    const { clients, logger, groupId, topic, partitionCount } = this.#options;
    const consumer = clients.consumer({
      groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxBytes: FETCH_BYTES,
      partitionAssigners: [
        announcing(() => {
          this.#joiningSince = performance.now();
          this.#lose();
        }),
      ],
      retry: {
        initialRetryTime: 100,
        maxRetryTime: 1_000,
        retries: 3,
        // By itself it would also start again what is being stopped.
        restartOnFailure: async () => false,
      },
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (this.#consumer === consumer) {
        this.#joiningSince = undefined;
        this.#options.onAssigned(payload.memberAssignment[topic] ?? []);
      }
    });
    consumer.on(consumer.events.HEARTBEAT, () => {
      if (this.#consumer !== consumer || this.#isClosed || this.#joiningSince === undefined) return;
      if (performance.now() - this.#joiningSince < 2 * HEARTBEAT_MS) return;
      // kafkajs gives up a join that fails otherwise than by a rebalance, as when the coordinator is loading the
      // group, and goes on as a member of before, to whom nothing is assigned here any more.
      logger.warn({ groupId }, "a join of the consumer group failed; joining again");
      this.#joiningSince = undefined;
      this.#consumer = undefined;
      this.#joining = consumer
        .disconnect()
        .catch(() => {})
        .then(() => this.#joinUntilClosed());
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#lose();
      if (this.#consumer !== consumer || this.#isClosed) return;
      logger.warn({ err: payload.error, groupId }, "lost the consumer group; joining again");
      this.#joining = sleep(REJOIN_MS).then(() => this.#joinUntilClosed());
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: partitionCount,
        eachBatch: async (payload) => this.#take(payload),
      });
    } catch (error) {
      await consumer.disconnect().catch(() => {});
      throw error;
    }
  }

  seek(partition: number, offset: number): void {
    const { topic } = this.#options;
    this.#tell((consumer) => consumer.seek({ topic, partition, offset: String(offset) }));
  }

  pause(partition: number): void {
    const { topic } = this.#options;
    this.#tell((consumer) => consumer.pause([{ topic, partitions: [partition] }]));
  }

  resume(partition: number): void {
    const { topic } = this.#options;
    this.#tell((consumer) => consumer.resume([{ topic, partitions: [partition] }]));
  }

  /**
   * Commits once, as a member of the generation that is current when it is called.
   *
   * @throws Error of kafkajs: fenced (see failures.ts), or one after which it may be tried again
   */
  async commit(partition: number, offset: number, metadata: string): Promise<void> {
    const { topic } = this.#options;
    const at = { partition, offset: String(offset), metadata };
    // Not Consumer.commitOffsets: it repeats by itself, and then under a later generation, too.
    if (this.#commitOnce !== undefined) {
      await this.#commitOnce({ topics: [{ topic, partitions: [at] }] });
      return;
    }
    // Before the first records there is no other way; it resolves without a commit when it is stopped.
    const consumer = this.#consumer;
    if (consumer === undefined) throw unavailable("cannot commit", "not connected");
    let isCommitted = false;
    const forget = consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      isCommitted ||= payload.topics.some(({ partitions }) =>
        partitions.some((one) => one.partition === partition && Number(one.offset) === offset),
      );
    });
    try {
      await consumer.commitOffsets([{ topic, ...at }]);
    } finally {
      forget();
    }
    if (!isCommitted) throw unavailable("cannot commit", "the group is not joined");
  }

  /** Leaves the group, so that others take over at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    // kafkajs cannot be stopped while it joins: it would join all the same, and stay.
    await this.#joining;
    this.#lose();
    await this.#consumer?.disconnect().catch(() => {});
  }

  #take({
    batch,
    isStale,
    resolveOffset,
    commitOffsetsIfNecessary,
  }: Pick<
    EachBatchPayload,
    "batch" | "isStale" | "resolveOffset" | "commitOffsetsIfNecessary"
  >): void {
    this.#commitOnce = commitOffsetsIfNecessary;
    if (isStale()) return;
    const { partition, messages, highWatermark, fetchedOffset } = batch as FetchedBatch;
    const isTaken = this.#options.onFetched({
      partition,
      messages,
      from: Number(fetchedOffset),
      highWatermark: Number(highWatermark),
    });
    if (isTaken) resolveOffset(batch.lastOffset());
  }

  /** A consumer that is no longer joined takes nothing; then onLost is about to be called. */
  #tell(order: (consumer: Consumer) => void): void {
    if (this.#consumer === undefined) return;
    try {
      order(this.#consumer);
    } catch (error) {
      if ((error as Error).name !== "KafkaJSNonRetriableError") throw error;
    }
  }

  #lose(): void {
    this.#commitOnce = undefined;
    this.#options.onLost();
  }
}

/** What kafkajs 2.2.4 has in a batch, and its types leave out. */
type FetchedBatch = EachBatchPayload["batch"] & {
  readonly fetchedOffset: string;
  readonly messages: readonly FetchedMessage[];
};

/**
 * kafkajs's round robin, which says so before it joins: the one moment at which nothing of the coming
 * generation exists yet, and after which a commit could be made in its name.
 */
function announcing(onJoin: () => void): PartitionAssigner {
  return (config) => {
    const assigner = PartitionAssigners.roundRobin(config);
    return {
      ...assigner,
      assign: (group) => assigner.assign(group),
      protocol: (subscription) => {
        onJoin();
        return assigner.protocol(subscription);
      },
    };
  };
}
