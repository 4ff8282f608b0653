// Avro encoding of events by hand, and the container files that carry them through the log.
//
// One log record is one Avro Object Container File, so any Avro reader can read it. All files carry the
// same header but for a block id of fixed length, and the same sync marker: a consumer joins the blocks of
// many records behind one header and hands them to the store without decoding an event.
// The writer is ours because it takes text as bytes too, which doors that receive plain lines never decode.
import avsc from "avsc";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { BLOCK_ID_LENGTH } from "./block-id.ts";

/** One event, complete: labels, limits and defaults were applied. */
export interface StoredEvent {
  readonly customer: string;
  readonly prefix0: string;
  readonly prefix1: string;
  readonly prefix2: string;
  readonly prefix3: string;
  /** ns since the epoch, UTC */
  readonly time: bigint;
  /** ns since the epoch; strictly increasing within one edge */
  readonly ingested: bigint;
  readonly message: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The schema's text as it stands in the headers: without white space and docs, as every record holds it. */
const schemaText = JSON.stringify(
  JSON.parse(readFileSync(new URL("event.avsc", import.meta.url), "utf8"), (key, value: unknown) =>
    key === "doc" ? undefined : value,
  ),
);

/** Avro longs as bigint: nanoseconds do not fit a JavaScript number. */
const bigintLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** The Avro type of a schema text, with longs as bigint. */
export function avroType(text: string): avsc.Type {
  return avsc.Type.forSchema(JSON.parse(text) as avsc.Schema, { registry: { long: bigintLong } });
}

/** The type of the events that this version writes. */
export const eventType = avroType(schemaText);

const SYNC_LENGTH = 16;
const BLOCK_ID_KEY = "logboom.block";
const syncMarker = createHash("sha256").update(schemaText).digest().subarray(0, SYNC_LENGTH);

const headerStart = Buffer.concat([
  Buffer.from("Obj\x01", "latin1"),
  avroLong(3),
  avroBytes("avro.codec"),
  avroBytes("null"),
  avroBytes("avro.schema"),
  avroBytes(schemaText),
  avroBytes(BLOCK_ID_KEY),
  avroLong(BLOCK_ID_LENGTH),
]);
const headerEnd = Buffer.concat([avroLong(0), syncMarker]);
const headerLength = headerStart.length + BLOCK_ID_LENGTH + headerEnd.length;

/** Encoded events of one partition without a container around them. */
export interface EncodedEvents {
  readonly count: number;
  readonly bytes: Buffer;
}

/**
 * One container file of one block.
 *
 * @param blockId 16 bytes that name this record wherever it is repeated.
 */
export function encodeContainer(blockId: Uint8Array, parts: readonly EncodedEvents[]): Buffer {
  let count = 0;
  let size = 0;
  for (const part of parts) {
    count += part.count;
    size += part.bytes.length;
  }
  return Buffer.concat([
    headerStart,
    blockId,
    headerEnd,
    avroLong(count),
    avroLong(size),
    ...parts.map((part) => part.bytes),
    syncMarker,
  ]);
}

/** Whether a record was written under today's schema, so that its blocks may be joined with others. */
export function isCurrentContainer(record: Buffer): boolean {
  return (
    record.length >= headerLength &&
    record.compare(headerStart, 0, headerStart.length, 0, headerStart.length) === 0 &&
    record.compare(
      headerEnd,
      0,
      headerEnd.length,
      headerLength - headerEnd.length,
      headerLength,
    ) === 0
  );
}

/** The 16 bytes that name a record wherever it is repeated, as text; undefined when there are none in it. */
export function blockIdOf(record: Buffer): string | undefined {
  if (isCurrentContainer(record)) {
    return record.toString("latin1", headerStart.length, headerStart.length + BLOCK_ID_LENGTH);
  }
  try {
    return readHeader(record).meta.get(BLOCK_ID_KEY)?.toString("latin1");
  } catch {
    return undefined;
  }
}

/** The blocks of a current container, without its header. */
export function containerBlocks(record: Buffer): Buffer {
  return record.subarray(headerLength);
}

/**
 * The number of events in a record, by its blocks' heads; undefined when it was not written under today's
 * schema, or its blocks are not whole: such a record cannot be joined with others.
 */
export function countEvents(record: Buffer): number | undefined {
  if (!isCurrentContainer(record)) return undefined;
  let total = 0;
  let position = headerLength;
  try {
    while (position < record.length) {
      const count = readLong(record, position);
      const size = readLong(record, count.next);
      if (count.value < 0 || size.value < 0) return undefined;
      total += count.value;
      position = size.next + size.value + SYNC_LENGTH;
    }
  } catch {
    return undefined;
  }
  return position === record.length ? total : undefined;
}

/** A container's header for blocks that come from many records. */
export function joinedHeader(): Buffer {
  return Buffer.concat([headerStart, Buffer.alloc(BLOCK_ID_LENGTH), headerEnd]);
}

/**
 * Decodes a container of any schema version that today's reader can resolve.
 *
 * @throws Error when the record is not a container, or its schema cannot be read as today's.
 */
export function decodeContainer(record: Buffer): StoredEvent[] {
  const header = readHeader(record);
  const codec = header.meta.get("avro.codec")?.toString() ?? "null";
  if (codec !== "null") throw new Error(`unknown Avro codec "${codec}"; expected "null"`);
  const writtenAs = header.meta.get("avro.schema")?.toString() ?? "null";
  const writer = avroType(writtenAs);
  const resolver = eventType.createResolver(writer);

  const events: StoredEvent[] = [];
  let position = header.next;
  while (position < record.length) {
    const count = readLong(record, position);
    const size = readLong(record, count.next);
    const end = size.next + size.value;
    if (count.value < 0 || size.value < 0 || end + SYNC_LENGTH > record.length) {
      throw new Error(`truncated Avro block at byte ${position}`);
    }
    if (record.compare(header.sync, 0, SYNC_LENGTH, end, end + SYNC_LENGTH) !== 0) {
      throw new Error(`wrong sync marker at byte ${end}`);
    }
    let at = size.next;
    // A damaged count of map entries would keep avsc busy for ever: it reads past the end as if it were empty.
    if (writtenAs === schemaText) skipEvents(record, size.next, end, count.value);
    else if (count.value > size.value)
      throw new Error(`the block at byte ${position} is too short`);
    for (let index = 0; index < count.value; index++) {
      const decoded: { value: StoredEvent; offset: number } = eventType.decode(
        record,
        at,
        resolver,
      );
      if (decoded.offset < 0 || decoded.offset > end) {
        throw new Error(`event ${index} of the block at byte ${position} is truncated`);
      }
      events.push(decoded.value);
      at = decoded.offset;
    }
    if (at !== end)
      throw new Error(`the block at byte ${position} holds more than ${count.value} events`);
    position = end + SYNC_LENGTH;
  }
  return events;
}

interface ContainerHeader {
  readonly meta: ReadonlyMap<string, Buffer>;
  readonly sync: Buffer;
  /** where the first block begins */
  readonly next: number;
}

function readHeader(record: Buffer): ContainerHeader {
  if (record.toString("latin1", 0, 4) !== "Obj\x01") throw new Error("not an Avro container file");
  const meta = new Map<string, Buffer>();
  const next = walkMap(record, 4, record.length, (key, value) => meta.set(key.toString(), value));
  if (next + SYNC_LENGTH > record.length) throw new Error("the container's header is truncated");
  return { meta, sync: record.subarray(next, next + SYNC_LENGTH), next: next + SYNC_LENGTH };
}

/** Steps over events of today's schema; throws when they do not fit the block. */
function skipEvents(bytes: Buffer, start: number, end: number, count: number): void {
  let at = start;
  for (let index = 0; index < count; index++) {
    for (let label = 0; label < 5; label++) at = readBytes(bytes, at, end).next;
    at = readLong(bytes, readLong(bytes, at, 10).next, 10).next;
    at = readBytes(bytes, at, end).next;
    at = walkMap(bytes, at, end, () => {});
  }
}

/** Calls `onEntry` for each entry of a map, and returns where it ends. */
function walkMap(
  bytes: Buffer,
  start: number,
  end: number,
  onEntry: (key: Buffer, value: Buffer) => void,
): number {
  let at = start;
  for (;;) {
    const count = readLong(bytes, at);
    at = count.next;
    if (count.value === 0) return at;
    // A negative count is followed by the size of the entries, for readers that skip them.
    if (count.value < 0) at = readLong(bytes, at).next;
    for (let index = 0; index < Math.abs(count.value); index++) {
      const key = readBytes(bytes, at, end);
      const value = readBytes(bytes, key.next, end);
      onEntry(key.value, value.value);
      at = value.next;
    }
  }
}

/** Bytes or text with their length before them; throws when they reach past `end`. */
function readBytes(bytes: Buffer, start: number, end: number): { value: Buffer; next: number } {
  const length = readLong(bytes, start);
  const next = length.next + length.value;
  if (length.value < 0 || next > end) throw new Error(`bytes at ${start} reach past ${end}`);
  return { value: bytes.subarray(length.next, next), next };
}

function avroLong(value: number): Buffer {
  const bytes: number[] = [];
  // Zigzag of a non-negative value is its double; the arithmetic stays exact below 2^52.
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function avroBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([avroLong(bytes.length), bytes]);
}

function readLong(bytes: Buffer, start: number, maxLength = 8): { value: number; next: number } {
  let value = 0;
  let scale = 1;
  let next = start;
  for (;;) {
    const byte = bytes[next];
    if (byte === undefined || next - start >= maxLength)
      throw new Error(`no Avro long at byte ${start}`);
    next++;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 0x80;
  }
  return { value: value % 2 === 0 ? value / 2 : -(value + 1) / 2, next };
}
