// Consumes the events topic for a group: every assigned partition read and committed as its own assignment.
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";
import type { Logger } from "pino";
import { LogboomError } from "../../../schemas/errors.ts";
import type { Assignment, Consumption, Position } from "../log.ts";
import { BlockMemory } from "./block-memory.ts";
import type { Clients } from "./client.ts";
import { isFenced, unavailable } from "./failures.ts";
import { Member } from "./member.ts";
import { findMemoryStart } from "./memory-start.ts";
import { Reader } from "./reader.ts";

const RETRY_MS = 200;
/** While stopping, a commit is not tried for longer: the range is repeated then, under its token. */
const LAST_COMMIT_MS = 5_000;

interface GroupOptions {
  readonly clients: Clients;
  readonly admin: Admin;
  readonly logger: Logger;
  readonly groupId: string;
  readonly topic: string;
  readonly partitionCount: number;
  readonly run: (assignment: Assignment) => Promise<void>;
  readonly isLogClosed: () => boolean;
}

/** A partition while it is this process's. */
interface Tenure {
  readonly partition: number;
  readonly stop: AbortController;
  /** False once it may be another's; while stopping it still is this process's. */
  isOwned: boolean;
  reader?: Reader;
}

export class GroupConsumption implements Consumption {
  readonly #options: GroupOptions;
  readonly #member: Member;
  readonly #memories = new Map<number, BlockMemory>();
  readonly #tenures = new Map<number, Tenure>();
  /** The latest run of each partition; the next begins when it has returned. */
  readonly #runs = new Map<number, Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #isClosing = false;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#member = new Member({
      ...options,
      onLost: () => this.#loseAll(),
      onAssigned: (partitions) => {
        for (const partition of partitions) this.#begin(partition);
      },
      onFetched: (fetched) => this.#tenures.get(fetched.partition)?.reader?.take(fetched) ?? false,
    });
    this.#member.join();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { stop } of this.#tenures.values()) stop.abort();
    await Promise.all(this.#runs.values());
    await this.#member.close();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #begin(partition: number): void {
    const tenure: Tenure = { partition, stop: new AbortController(), isOwned: true };
    // Until it is known where to begin.
    this.#member.pause(partition);
    if (this.#isClosing) return;
    this.#tenures.set(partition, tenure);
    const former = this.#runs.get(partition);
    const run = (async () => {
      await former;
      try {
        await this.#run(tenure);
      } catch (error) {
        this.#failure ??= { error };
        this.#options.logger.error({ err: error, partition }, "consuming a partition failed");
      }
    })();
    this.#runs.set(partition, run);
  }

  #loseAll(): void {
    for (const tenure of this.#tenures.values()) this.#lose(tenure);
    this.#tenures.clear();
  }

  #lose(tenure: Tenure): void {
    tenure.isOwned = false;
    tenure.stop.abort();
  }

  async #run(tenure: Tenure): Promise<void> {
    const { signal } = tenure.stop;
    const { partition } = tenure;
    const start = await this.#findStart(partition, signal);
    // Lost while it was looked for: nobody is told of the end of what never began.
    if (start === undefined || signal.aborted) return;
    const { committed, low, highWatermark, twinsFrom, memory } = start;
    if (committed.offset < low) {
      const missing = low - committed.offset;
      const facts = { partition, missing, group: this.#options.groupId };
      // A new group begins at 0, where there may be nothing any more.
      if (committed.offset > 0) {
        this.#options.logger.error(facts, "Kafka has deleted records that were not consumed");
      }
    }
    const reader = new Reader({
      member: this.#member,
      partition,
      memory,
      twinsFrom,
      first: Math.max(committed.offset, low),
      highWatermark,
      signal,
      onGone: () => {
        this.#lose(tenure);
        this.#begin(partition);
      },
    });
    tenure.reader = reader;
    await this.#options.run({
      partition,
      committed,
      signal,
      read: (offset, maxBytes, maxWaitMs) =>
        reader.read(Math.max(offset, low), maxBytes, maxWaitMs),
      commit: async (position) => {
        await this.#commit(tenure, position);
        reader.free(position.offset);
      },
    });
  }

  /** Where the group stands and from where to fetch; undefined when the partition was lost meanwhile. */
  async #findStart(partition: number, signal: AbortSignal) {
    const { admin, groupId, topic, logger } = this.#options;
    while (!signal.aborted) {
      try {
        const [groups, bounds] = await Promise.all([
          admin.fetchOffsets({ groupId, topics: [topic] }),
          admin.fetchTopicOffsets(topic),
        ]);
        const found = groups[0]?.partitions.find((one) => one.partition === partition);
        const bound = bounds.find((one) => one.partition === partition);
        if (bound === undefined) throw new Error(`no partition ${partition} of ${topic}`);
        const committed: Position = {
          offset: Math.max(0, Number(found?.offset ?? 0)),
          metadata: found?.metadata ?? "",
        };
        const low = Number(bound.low);
        const memory = this.#memories.getOrInsertComputed(partition, () => new BlockMemory());
        const back = await findMemoryStart(committed.offset, Date.now(), async (time) => {
          const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, time);
          return Number(offsets.find((one) => one.partition === partition)?.offset ?? 0);
        });
        const twinsFrom = Math.max(low, back);
        return { committed, low, highWatermark: Number(bound.high), twinsFrom, memory };
      } catch (error) {
        logger.warn({ err: error, partition }, "cannot find where to consume from; trying again");
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  }

  async #commit(tenure: Tenure, { offset, metadata }: Position): Promise<void> {
    const { partition, stop } = tenure;
    let deadline = Number.POSITIVE_INFINITY;
    for (;;) {
      if (this.#options.isLogClosed()) {
        throw new LogboomError("UNAVAILABLE", "the log is closed");
      }
      if (!tenure.isOwned) {
        throw new LogboomError("UNAVAILABLE", `partition ${partition} is no longer this process's`);
      }
      try {
        await this.#member.commit(partition, offset, metadata);
        return;
      } catch (error) {
        if (isFenced(error)) {
          this.#lose(tenure);
          throw unavailable(`partition ${partition} is no longer this process's`, error);
        }
        if (stop.signal.aborted) deadline = Math.min(deadline, performance.now() + LAST_COMMIT_MS);
        if (performance.now() >= deadline) throw unavailable("cannot commit", error);
        await sleep(RETRY_MS);
      }
    }
  }
}
