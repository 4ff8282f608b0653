// Events as lines of a log, and the tables that say which of them a where() of LEQL finds.
import { describe, expect, test } from "vitest";
import { compileHolds } from "../../../query/language/holds.ts";
import { parseLeql } from "../../../query/language/leql.ts";
import { toQueryEvent, type PlainEvent } from "./query-store.ts";

export function line(message: string): PlainEvent {
  return {
    time: 1_795_132_800_000_000_000n,
    message,
    prefixes: ["set", "log", "", "logentries"],
    attributes: { log_id: "11111111-2222-3333-4444-555555555555" },
  };
}

/** Tests each expression: it finds the events of these names, and no other. */
export function testWhere<Name extends string>(
  events: Readonly<Record<Name, PlainEvent>>,
  table: readonly (readonly [expression: string, found: readonly Name[]])[],
): void {
  const all = Object.keys(events) as Name[];
  describe("where()", () => {
    test.for(table)("%s", ([expression, expected]) => {
      const holds = compileHolds(parseLeql(`where(${expression})`).where);
      expect(all.filter((name) => holds(toQueryEvent(events[name])))).toEqual(expected);
    });
  });
}
