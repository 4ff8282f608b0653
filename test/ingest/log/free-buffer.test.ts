import { expect, test } from "vitest";
import { freeBuffer, freeMemory } from "../../../ingest/log/free-buffer.ts";

test("a large buffer with memory of its own is empty once it is freed", () => {
  const buffer = Buffer.concat([Buffer.alloc(50_000, "a"), Buffer.alloc(50_000, "b")]);
  freeBuffer(buffer);
  expect(buffer.length).toBe(0);
  // Who frees it twice does no harm.
  freeBuffer(buffer);
});

test("what shares its memory is left alone", () => {
  const whole = Buffer.alloc(100_000, "a");
  freeBuffer(whole.subarray(10));
  freeBuffer(whole.subarray(0, 50_000));
  expect(whole).toEqual(Buffer.alloc(100_000, "a"));
  const small = Buffer.from("from the pool");
  freeBuffer(small);
  expect(small.toString()).toBe("from the pool");
  freeMemory(small.buffer);
  expect(small.toString()).toBe("from the pool");
});
