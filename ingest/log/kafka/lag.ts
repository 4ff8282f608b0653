// How far groups are behind, asked of the brokers.
import type { Admin } from "kafkajs";
import type { PartitionLag } from "../log.ts";

/** Since when a group has stood at an offset with records behind it, as far as this process has seen. */
interface Standing {
  readonly offset: number;
  readonly since: number;
}

export class Lag {
  readonly #admin: Admin;
  readonly #topic: string;
  readonly #latest = new Map<string, PartitionLag[]>();
  readonly #standings = new Map<string, Standing>();

  constructor(admin: Admin, topic: string) {
    this.#admin = admin;
    this.#topic = topic;
  }

  /** The brokers tell no record's age: it counts from when the group was first seen to stand before it. */
  async of(groupId: string): Promise<PartitionLag[]> {
    try {
      const [groups, bounds] = await Promise.all([
        this.#admin.fetchOffsets({ groupId, topics: [this.#topic] }),
        this.#admin.fetchTopicOffsets(this.#topic),
      ]);
      const positions = new Map(
        groups[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      );
      const lags = bounds
        .map(({ partition, low, high }) => {
          const offset = Math.max(Number(low), positions.get(partition) ?? 0);
          const records = Math.max(0, Number(high) - offset);
          const oldestAppendedAt = this.#since(`${groupId}/${partition}`, offset, records > 0);
          return { partition, records, oldestAppendedAt };
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
