// Which partition of the log, and which bucket of the store, a stream belongs to: one hash for both.
import { crc32 } from "node:zlib";

/** The store partitions a day by this many buckets; the number of log partitions is a multiple of it. */
export const bucketCount = 4;

/** The most partitions a log may have: every one is a label value of the metrics. */
export const maxPartitions = 32;

/**
 * The log partition of a stream: a batch of one partition then touches one bucket of the store.
 * The tables compute the bucket by the same formula, `CRC32(concat(customer, '\0', prefix0)) % 4`.
 */
export function partitionOf(customer: string, prefix0: string, partitionCount: number): number {
  return crc32(`${customer}\0${prefix0}`) % partitionCount;
}
