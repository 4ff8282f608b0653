// Versions side by side: the next one reads what this one wrote, and this one what the next one writes.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  avroType,
  containerBlocks,
  decodeContainer,
  encodeContainer,
  isCurrentContainer,
  joinedHeader,
  type StoredEvent,
} from "../../schemas/event-codec.ts";
import { readWithAvsc, writeWithAvsc } from "./avro-files.ts";
import { anEvent, encode, recordOf, storedEvent } from "./random-event.ts";

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
  readonly aliases?: readonly string[];
}

interface RecordSchema {
  readonly fields: readonly Field[];
}

const today = JSON.parse(
  readFileSync(new URL("../../schemas/event.avsc", import.meta.url), "utf8"),
) as RecordSchema;

function schemaWith(fields: readonly Field[]): string {
  return JSON.stringify({ ...today, fields });
}

/** The next version adds a field with a default in the middle, and renames one. */
const nextSchema = schemaWith(
  today.fields.flatMap((field) => {
    if (field.name === "prefix3") return [{ ...field, name: "origin", aliases: ["prefix3"] }];
    if (field.name === "time") return [{ name: "severity", type: "int", default: 3 }, field];
    return [field];
  }),
);

/** A next version that only adds: what it writes has to be understood by processes not yet replaced. */
const addingSchema = schemaWith(
  today.fields.flatMap((field) =>
    field.name === "time"
      ? [{ name: "severity", type: ["null", "string"], default: null }, field]
      : [field],
  ),
);

const events = fc.array(storedEvent, { minLength: 1, maxLength: 5 });

describe("the next version's reader", () => {
  const nextType = avroType(nextSchema);

  test("reads today's records: the renamed field by its alias, the added one by its default", async () => {
    await fc.assert(
      fc.asyncProperty(events, async (written) => {
        const read = await readWithAvsc(
          encodeContainer(Buffer.alloc(16), [encode(written)]),
          nextType,
        );
        const expected = written.map(({ prefix3, ...rest }) => ({
          ...rest,
          origin: prefix3,
          severity: 3,
        }));
        expect(read.map((event) => ({ ...(event as object) }))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  test("reads today's records joined behind today's header", async () => {
    const joined = Buffer.concat([
      joinedHeader(),
      containerBlocks(recordOf(anEvent({ message: "a" }))),
      containerBlocks(recordOf(anEvent({ message: "b" }))),
    ]);
    expect(await readWithAvsc(joined, nextType)).toMatchObject([
      { message: "a", severity: 3 },
      { message: "b", severity: 3 },
    ]);
  });
});

describe("today's reader", () => {
  const addingType = avroType(addingSchema);

  function asNext(event: StoredEvent): object {
    return { ...event, severity: "warning" };
  }

  test("reads what the next version writes, and passes over the field it does not know", async () => {
    await fc.assert(
      fc.asyncProperty(events, async (written) => {
        const record = await writeWithAvsc(addingType, written.map(asNext), { blockSize: 100 });
        expect(isCurrentContainer(record)).toBe(false);
        expect(decodeContainer(record).map((event) => ({ ...event }))).toEqual(written);
      }),
      { numRuns: 100 },
    );
  });

  test("gives a field that the writer left out its default", async () => {
    const former = avroType(schemaWith(today.fields.filter(({ name }) => name !== "attributes")));
    const { attributes: _, ...written } = anEvent();
    const record = await writeWithAvsc(former, [written]);
    expect(decodeContainer(record).map((event) => ({ ...event }))).toEqual([anEvent()]);
  });

  test("takes an int where it knows a long", async () => {
    const narrow = avroType(
      schemaWith(
        today.fields.map((field) => (field.name === "time" ? { ...field, type: "int" } : field)),
      ),
    );
    const record = await writeWithAvsc(narrow, [{ ...anEvent(), time: 7 }]);
    expect(decodeContainer(record).map(({ time }) => time)).toEqual([7n]);
  });

  test("refuses a container that lacks a field without a default", async () => {
    const lacking = avroType(schemaWith(today.fields.filter(({ name }) => name !== "message")));
    const { message: _, ...written } = anEvent();
    const record = await writeWithAvsc(lacking, [written]);
    expect(() => decodeContainer(record)).toThrow("message");
  });

  test("refuses a container of another record", async () => {
    const other = avroType('{"type":"record","name":"Other","fields":[{"name":"n","type":"int"}]}');
    const record = await writeWithAvsc(other, [{ n: 1 }]);
    expect(() => decodeContainer(record)).toThrow(/Other|Event/);
  });
});

test("today's schema declares a default wherever a former version may have written none", () => {
  // Fields of the first version may lack one; a field added later may not, or older records cannot be read.
  const first = [
    "customer",
    "prefix0",
    "prefix1",
    "prefix2",
    "prefix3",
    "time",
    "ingested",
    "message",
  ];
  const added = today.fields.filter(({ name }) => !first.includes(name));
  expect(added.filter((field) => !("default" in field))).toEqual([]);
});
