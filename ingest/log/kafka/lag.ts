// How far groups are behind, asked of the brokers.
import type { Admin } from "kafkajs";
import type { PartitionLag } from "../log.ts";
import { askUntilSettled } from "./settle.ts";

/** Since when a group has stood at an offset with records behind it, as far as this process has seen. */
interface Standing {
  readonly offset: number;
  readonly since: number;
}

/** A look at a partition: records that were acknowledged before it are below the end that it saw. */
interface Look {
  readonly at: number;
  readonly end: number;
}

/** Older looks are thinned out beyond so many: then what is stored is known a little less closely. */
const MAX_LOOKS = 1_000;

export class Lag {
  readonly #admin: Admin;
  readonly #topic: string;
  readonly #latest = new Map<string, PartitionLag[]>();
  readonly #standings = new Map<string, Standing>();
  readonly #looks = new Map<string, Look[]>();

  constructor(admin: Admin, topic: string) {
    this.#admin = admin;
    this.#topic = topic;
  }

  /** The brokers tell no record's age: it counts from when the group was first seen to stand before it. */
  async of(groupId: string): Promise<PartitionLag[]> {
    const at = Date.now();
    try {
      const [groups, bounds] = await askUntilSettled(() =>
        Promise.all([
          this.#admin.fetchOffsets({ groupId, topics: [this.#topic] }),
          this.#admin.fetchTopicOffsets(this.#topic),
        ]),
      );
      const positions = new Map(
        groups[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      );
      const lags = bounds
        .map(({ partition, low, high }) => {
          const offset = Math.max(Number(low), positions.get(partition) ?? 0);
          const end = Number(high);
          const records = Math.max(0, end - offset);
          const name = `${groupId}/${partition}`;
          const oldestAppendedAt = this.#since(name, offset, records > 0);
          const storedUntil = this.#storedUntil(name, offset, { at, end });
          return { partition, records, oldestAppendedAt, storedUntil };
        })
        .toSorted((a, b) => a.partition - b.partition);
      this.#latest.set(groupId, lags);
      return lags;
    } catch (error) {
      const latest = this.#latest.get(groupId);
      if (latest === undefined) throw error;
      return latest;
    }
  }

  /** The time of the last look whose end the group has reached. */
  #storedUntil(name: string, offset: number, look: Look): number {
    const looks = [...(this.#looks.get(name) ?? []), look];
    const reached = looks.findLastIndex(({ end }) => end <= offset);
    const kept = looks.slice(Math.max(0, reached));
    this.#looks.set(
      name,
      kept.length <= MAX_LOOKS ? kept : kept.filter((_, index) => index % 2 === 0),
    );
    return looks[reached]?.at ?? 0;
  }

  #since(name: string, offset: number, isBehind: boolean): number | undefined {
    if (!isBehind) {
      this.#standings.delete(name);
      return undefined;
    }
    const standing = this.#standings.get(name);
    if (standing?.offset === offset) return standing.since;
    const now = { offset, since: Date.now() };
    this.#standings.set(name, now);
    return now.since;
  }
}
