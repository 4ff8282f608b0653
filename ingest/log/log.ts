// The log between ingest and the store: one interface for the embedded log and for Kafka.

/**
 * The streams of the log. `events` has {@link Log.partitionCount} partitions, the others have one.
 * All but `events` are compacted: of the records of one key the last is kept. `replays` holds the dead letters
 * that an operator wants to go through the log again, until they have.
 */
export type StreamName = "events" | "accounts" | "usage" | "dead-letters" | "replays";

/** A record to append. */
export interface NewRecord {
  readonly stream: StreamName;
  readonly partition: number;
  /** Of a compacted stream: the record replaces the former one of this key; an empty value removes it, for those who read later. */
  readonly key?: string;
  readonly value: Buffer;
}

/** A record as read; offsets of a partition increase, and may have gaps. */
export interface LogRecord {
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: Buffer;
  /** ms since the epoch */
  readonly appendedAt: number;
  /** An earlier record of the partition has the same block id: of its events nothing is to be stored. */
  readonly isRepeat?: boolean;
}

/** Proof that a request was appended, kept so that its repeat is recognised, restarts included. */
export interface Receipt {
  readonly key: string;
  readonly value: string;
  /** ms since the epoch; it may be forgotten afterwards */
  readonly expiresAt: number;
}

/** Where a group stands in a partition; metadata is the group's own note beside the offset. */
export interface Position {
  readonly offset: number;
  readonly metadata: string;
}

/** One partition while this process reads it for a group. */
export interface Assignment {
  readonly partition: number;
  /** Where the group stood when the partition was assigned. */
  readonly committed: Position;
  /** Aborted when the partition is taken away or consumption stops; then `run` has to return. */
  readonly signal: AbortSignal;
  /**
   * Records from an offset on, in order: at least one unless none comes within `maxWaitMs`; as many as
   * fit `maxBytes`, and one larger than that alone.
   */
  read(offset: number, maxBytes: number, maxWaitMs: number): Promise<LogRecord[]>;
  /**
   * Moves the group durably; records below the offset may be deleted, and the values of those that were
   * read become empty. Rejects when the partition is no
   * longer this process's: then nothing more may be written on its behalf.
   */
  commit(position: Position): Promise<void>;
}

export interface Consumption {
  /** Aborts every assignment's signal and waits until its `run` has returned. */
  close(): Promise<void>;
}

export interface PartitionLag {
  readonly partition: number;
  readonly records: number;
  /** ms since the epoch, when the oldest record that the group has not committed was appended */
  readonly oldestAppendedAt: number | undefined;
  /** ms since the epoch: every record that was acknowledged before is committed; 0 when that is not known */
  readonly storedUntil: number;
}

export interface Log {
  /** Names this log for ever: offsets of another log, even at the same address, mean nothing to it. */
  readonly id: string;
  readonly partitionCount: number;
  /** Bytes that it holds: on disk, or, where the disk is elsewhere, appended and not yet acknowledged. */
  readonly sizeBytes: number;
  /** Appends of events beyond it are refused. */
  readonly maxBytes: number;

  /**
   * Appends records and receipts and resolves once all are durable. When it rejects, none, or (over
   * Kafka) some may be kept: repeating with the same block ids and receipt key is harmless.
   *
   * @throws LogboomError OVERLOADED when the log's bound is reached, UNAVAILABLE when it cannot be written.
   */
  append(records: readonly NewRecord[], receipts?: readonly Receipt[]): Promise<void>;

  /** The value of a receipt that has not expired. */
  findReceipt(key: string): string | undefined;

  /**
   * Calls `onRecord` for every record of a one-partition stream, oldest first, resolves when it has
   * caught up, and goes on with new ones, also those of other processes, within a second.
   */
  follow(stream: StreamName, onRecord: (record: LogRecord) => void): Promise<Consumption>;

  /** Runs `run` for each partition of `events` that is assigned to this process. */
  consume(group: string, run: (assignment: Assignment) => Promise<void>): Promise<Consumption>;

  lag(group: string): Promise<PartitionLag[]>;

  /** Whether records can be appended now; the reason when not. */
  health(): { isUp: boolean; reason?: string };

  close(): Promise<void>;
}
