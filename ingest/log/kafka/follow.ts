// Follows a one-partition topic from an offset on: every record to every process that asks.
import { randomUUID } from "node:crypto";
import type { Admin } from "kafkajs";
import type { Logger } from "pino";
import { LogboomError } from "../../../schemas/errors.ts";
import type { Consumption, LogRecord } from "../log.ts";
import type { Clients } from "./client.ts";
import { Member } from "./member.ts";
import { toLogRecord } from "./record.ts";

const CATCH_UP_TIMEOUT_MS = 60_000;

interface FollowOptions {
  readonly clients: Clients;
  readonly logger: Logger;
  readonly admin: Admin;
  readonly topic: string;
  readonly from: number;
  /** Called with records in order, each once. */
  readonly onRecords: (records: readonly LogRecord[]) => void;
}

/** Resolves when all records that were there at the call have been given. */
export async function followTopic(options: FollowOptions): Promise<Consumption> {
  const { clients, logger, admin, topic, onRecords } = options;
  const [bounds] = await admin.fetchTopicOffsets(topic);
  const end = Number(bounds?.high ?? 0);
  // An offset beyond the end belongs to a topic of this name that is gone.
  let next = options.from > end ? 0 : options.from;
  next = Math.max(next, Number(bounds?.low ?? 0));

  const caughtUp = Promise.withResolvers<void>();
  if (next >= end) caughtUp.resolve();
  const member = new Member({
    clients,
    logger,
    topic,
    partitionCount: 1,
    // A group of one: its name is used once, and nothing is ever committed for it.
    groupId: `${topic}.follower-${randomUUID()}`,
    onLost: () => {},
    onAssigned: (partitions) => {
      for (const partition of partitions) member.seek(partition, next);
    },
    onFetched: ({ messages }) => {
      const records = messages.map(toLogRecord).filter(({ offset }) => offset >= next);
      next = (records.at(-1)?.offset ?? next - 1) + 1;
      if (records.length > 0) onRecords(records);
      if (next >= end) caughtUp.resolve();
      return true;
    },
  });
  member.join();
  const timer = setTimeout(
    () =>
      caughtUp.reject(
        new LogboomError(
          "UNAVAILABLE",
          `read ${next} of ${end} records of "${topic}" within ${CATCH_UP_TIMEOUT_MS} ms`,
        ),
      ),
    CATCH_UP_TIMEOUT_MS,
  );
  try {
    await caughtUp.promise;
  } catch (error) {
    await member.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { close: () => member.close() };
}
