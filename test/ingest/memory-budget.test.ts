// The bound on bytes that ingest holds.
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryBudget, Reservation } from "../../ingest/memory-budget.ts";

test("what fits is taken, to the last byte, and one byte more is refused for a second", () => {
  const budget = new MemoryBudget(100);
  const reservation = new Reservation(budget);
  reservation.add(60);
  reservation.add(40);
  expect(budget.usedBytes).toBe(100);
  expect(() => reservation.add(1)).toThrow(
    expect.objectContaining({
      code: "OVERLOADED",
      retryAfterSeconds: 1,
      details: { limit: 100 },
      message:
        "requests of 100 bytes wait for their acknowledgement; 1 more exceed the limit of 100",
    }),
  );
  expect(budget.usedBytes).toBe(100);
});

test("what is released is given back once, however often it is released", () => {
  const budget = new MemoryBudget(100);
  const [one, other] = [new Reservation(budget), new Reservation(budget)];
  one.add(30);
  other.add(20);
  one.release();
  one.release();
  expect(budget.usedBytes).toBe(20);
  one.add(80);
  expect(budget.usedBytes).toBe(100);
  other.release();
  one.release();
  expect(budget.usedBytes).toBe(0);
});

test("whatever is added and released, what is used is what is held, and never beyond the limit", () => {
  const step = fc.tuple(fc.nat(3), fc.oneof(fc.constant(-1), fc.nat(60)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new MemoryBudget(100);
      const requests = Array.from({ length: 4 }, () => ({
        reservation: new Reservation(budget),
        held: 0,
      }));
      for (const [index, bytes] of steps) {
        const request = requests[index];
        if (request === undefined) throw new RangeError("no such request");
        const used = requests.reduce((sum, { held }) => sum + held, 0);
        if (bytes < 0) {
          request.reservation.release();
          request.held = 0;
        } else if (used + bytes > 100) {
          expect(() => request.reservation.add(bytes)).toThrow(/exceed the limit of 100/);
        } else {
          request.reservation.add(bytes);
          request.held += bytes;
        }
        expect(budget.usedBytes).toBe(requests.reduce((sum, { held }) => sum + held, 0));
      }
    }),
  );
});
