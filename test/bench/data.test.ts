// The data set has to be the same in every run and look like real logs, else no figure of the benchmark means anything.
import { expect, test } from "vitest";
import { EventSource, type BatchPlan } from "./data.ts";

const START_SECONDS = 1_750_000_000;
const plan: BatchPlan = {
  events: 20_000,
  epochSeconds: START_SECONDS,
  fromNs: 0,
  untilNs: 1000e9,
  needles: new Set([17]),
};

interface Line {
  readonly time: string;
  readonly prefix0: string;
  readonly message: string;
}

function linesOf(body: Buffer): Line[] {
  return body
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

test("the same seed and part make the same bytes, another part makes others", () => {
  const first = Buffer.from(new EventSource(1, 0).batch(plan).body);
  expect(new EventSource(1, 0).batch(plan).body.equals(first)).toBe(true);
  expect(new EventSource(1, 1).batch(plan).body.equals(first)).toBe(false);
});

test("a batch holds the planned events with about 240 bytes of message each", () => {
  const source = new EventSource(1, 0);
  const { body, messageBytes } = source.batch(plan);
  const lines = linesOf(body);
  expect(lines).toHaveLength(plan.events);
  expect(lines.reduce((sum, { message }) => sum + Buffer.byteLength(message), 0)).toBe(
    messageBytes,
  );
  expect(messageBytes / plan.events).toBeGreaterThan(225);
  expect(messageBytes / plan.events).toBeLessThan(255);
  expect(source.streamEvents.reduce((sum, events) => sum + events, 0)).toBe(plan.events);
});

test("times lie in the planned range, nearly in order", () => {
  const times = linesOf(new EventSource(1, 0).batch(plan).body).map(
    ({ time }) => Number(time) / 1e9,
  );
  expect(Math.min(...times)).toBeGreaterThanOrEqual(START_SECONDS);
  expect(Math.max(...times)).toBeLessThan(START_SECONDS + 1000);
  const isLate = times.filter((time, index) => time < (times[index - 1] ?? 0));
  expect(isLate.length).toBeGreaterThan(0);
  expect(times.every((time, index) => time > Math.max(0, (times[index - 1] ?? 0) - 3))).toBe(true);
});

test("there are stack traces, phrases, numbers and the one needle that the searches look for", () => {
  const messages = linesOf(new EventSource(1, 0).batch(plan).body).map(({ message }) => message);
  const shareOf = (pattern: RegExp): number =>
    messages.filter((message) => pattern.test(message)).length / messages.length;
  expect(messages.filter((message) => message.includes("xNEEDLE-7f3a9c2ez"))).toEqual([
    messages[17],
  ]);
  expect(shareOf(/\n\tat /)).toBeCloseTo(0.05, 1);
  expect(shareOf(/upstream timed out/)).toBeCloseTo(0.0027, 2);
  expect(shareOf(/duration: [0-9]+\.[0-9]{3} ms/)).toBeCloseTo(0.064, 1);
  expect(shareOf(/\[worker-[0-9]+\]/)).toBeCloseTo(0.2, 1);
});
