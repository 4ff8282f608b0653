// Random events whose few values are numbers, nearly numbers, texts and nothing.
import * as fc from "fast-check";
import type { PlainEvent } from "./query-store.ts";

const values = ["", "0", "404", "4e2", "7.5", "-3", "bob", "Bob", "ошибка", "x'\"y", "false", " 7"];

/** A second and a little apart, the oldest first. */
export function randomPowerEvents(count: number): PlainEvent[] {
  return fc
    .sample(
      fc.record({
        host: fc.constantFrom("", "web-1", "web-10"),
        attributes: fc.dictionary(
          fc.constantFrom("user", "ms", "status"),
          fc.constantFrom(...values),
        ),
      }),
      count,
    )
    .map(({ host, attributes }, index) => ({
      time: 1_795_132_800_000_000_000n + BigInt(index) * 7_000_000_000n,
      message: `event ${String(index)}`,
      prefixes: [host, "app.log", "", "scalyr"],
      attributes: { ...attributes },
    }));
}
