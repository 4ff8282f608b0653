// Events and records that the store refuses for good: set aside with their reason, never dropped.
import { z } from "zod";
import type { Log } from "../ingest/log/log.ts";

export const deadLetterReasons = ["unreadable", "refused"] as const;

const deadLetter = z.object({
  reason: z.enum(deadLetterReasons),
  /** What the reader or the store said. */
  message: z.string(),
  partition: z.number(),
  offset: z.number(),
  /** Index of the event within its record; absent for a whole record. */
  index: z.number().optional(),
  /** The record, or a record of the one event, in base64. */
  record: z.string(),
  at: z.iso.datetime(),
});

export type DeadLetter = z.infer<typeof deadLetter>;

/** Appends dead letters; the same event set aside again, after a crash, replaces itself. */
export async function setAside(log: Log, letters: readonly DeadLetter[]): Promise<void> {
  await log.append(
    letters.map((letter) => ({
      stream: "dead-letters",
      partition: 0,
      key: `${letter.partition}/${letter.offset}/${letter.index ?? "record"}`,
      value: Buffer.from(JSON.stringify(letter)),
    })),
  );
}

/** All dead letters kept, oldest first. */
export async function readDeadLetters(log: Log): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  const following = await log.follow("dead-letters", ({ value }) => {
    letters.push(deadLetter.parse(JSON.parse(value.toString("utf8"))));
  });
  await following.close();
  return letters;
}
