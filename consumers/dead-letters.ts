// Events and records that the store refuses for good: set aside with their reason, never dropped, until they are replayed.
import { z } from "zod";
import { decodeContainer, type StoredEvent } from "../schemas/event-codec.ts";
import type { Log, StreamName } from "../ingest/log/log.ts";

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

/** Names a letter for ever: the place that its event or record came from. */
export function letterId({ partition, offset, index }: DeadLetter): string {
  return `${partition}/${offset}/${index ?? "record"}`;
}

export function parseLetter(value: Buffer): DeadLetter {
  return deadLetter.parse(JSON.parse(value.toString("utf8")));
}

/** The letter's events; throws when this version cannot read them either. */
export function readEvents({ record }: DeadLetter): StoredEvent[] {
  return decodeContainer(Buffer.from(record, "base64"));
}

/** Appends dead letters; the same event set aside again, after a crash, replaces itself. */
export async function setAside(log: Log, letters: readonly DeadLetter[]): Promise<void> {
  await put(log, "dead-letters", letters);
}

/** Has the owners of the letters' partitions replay them, now or when they are back; see replays.ts. */
export async function requestReplays(log: Log, letters: readonly DeadLetter[]): Promise<void> {
  await put(log, "replays", letters);
}

/** All letters of a stream by id, oldest first: those kept, or those of which a replay is wanted. */
export async function readLetters(
  log: Log,
  stream: "dead-letters" | "replays" = "dead-letters",
): Promise<Map<string, DeadLetter>> {
  const letters = new Map<string, DeadLetter>();
  const following = await log.follow(stream, ({ key = "", value }) => {
    if (value.length === 0) letters.delete(key);
    else letters.set(key, parseLetter(value));
  });
  await following.close();
  return letters;
}

async function put(log: Log, stream: StreamName, letters: readonly DeadLetter[]): Promise<void> {
  await log.append(
    letters.map((letter) => ({
      stream,
      partition: 0,
      key: letterId(letter),
      value: Buffer.from(JSON.stringify(letter)),
    })),
  );
}
