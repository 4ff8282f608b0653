// How far a memory of block ids reaches back, by offset and by time.
import { expect, test } from "vitest";
import { BlockMemory } from "../../../../ingest/log/kafka/block-memory.ts";
import { encodeContainer } from "../../../../schemas/event-codec.ts";
import { anEvent, encode } from "../../../schemas/random-event.ts";

const APART_MS = 120_000;
const recordAt = (offset: number, appendedAt: number, id = offset) => ({
  offset,
  appendedAt,
  key: undefined,
  value: encodeContainer(Buffer.alloc(16, id), [encode([anEvent({})])]),
});

test("reaches back to where it began, and two minutes later as far as it has to", () => {
  const memory = new BlockMemory();
  memory.beginAt(100);
  expect(memory.reaches(100, 0)).toBe(true);
  expect(memory.reaches(99, 0)).toBe(false);
  memory.isRepeat(recordAt(100, 5_000));
  memory.isRepeat(recordAt(101, 9_000));
  expect(memory.reaches(99, 5_000 + APART_MS - 1)).toBe(false);
  expect(memory.reaches(99, 5_000 + APART_MS)).toBe(true);
});

test("goes on where it stood, and forgets what lies before a gap", () => {
  const memory = new BlockMemory();
  memory.beginAt(0);
  for (const offset of [0, 1, 2]) memory.isRepeat(recordAt(offset, 0));
  memory.beginAt(3);
  expect(memory.isRepeat(recordAt(3, 0, 1))).toBe(true);
  expect(memory.reaches(0, 0)).toBe(true);
  memory.beginAt(5);
  expect(memory.isRepeat(recordAt(5, 2 * APART_MS, 1))).toBe(false);
  expect(memory.reaches(0, 2 * APART_MS)).toBe(false);
});

test("begun anew further back it reaches there, and the earlier record is the first", () => {
  const memory = new BlockMemory();
  memory.beginAt(7);
  expect(memory.isRepeat(recordAt(7, 0, 1))).toBe(false);
  memory.beginAt(5);
  expect(memory.reaches(5, 0)).toBe(true);
  expect(memory.isRepeat(recordAt(5, 0, 1))).toBe(false);
  expect(memory.isRepeat(recordAt(7, 0, 1))).toBe(true);
});
