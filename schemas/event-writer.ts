// Writes events in Avro's binary form into a growing buffer: the inner loop of every ingest door.
import type { EncodedEvents } from "./event-codec.ts";

/** Larger pieces are handed over with the buffer that they stand in, smaller ones copied out of it. */
const HANDED_OVER_BYTES = 32 * 1024;
const BUFFER_BYTES = 160 * 1024;
const MAX_SPARES = 64;
/**
 * Buffers to be written again. The collector knows nothing of their bytes but their sum, and makes as many
 * rounds for what is thrown away as for what is kept.
 */
const spares: Buffer[] = [];
const noBytes = Buffer.alloc(0);

/** Gives back the bytes of events that were copied on; nobody may read them afterwards. */
export function recycle({ bytes }: EncodedEvents): void {
  if (bytes.buffer.byteLength === BUFFER_BYTES && spares.length < MAX_SPARES) {
    spares.push(Buffer.from(bytes.buffer));
  }
}

/** The longest varint of 64 bits. */
const MAX_VARINT = 10;
/** Up to this length a loop over characters beats a call into native code. */
const SHORT_TEXT = 40;

const clock = new BigInt64Array(1);
const clockHalves = new Uint32Array(clock.buffer);

/** An event as it is written; a message that is given as bytes must be valid UTF-8. */
export interface EventToWrite {
  readonly customer: string;
  readonly prefix0: string;
  readonly prefix1: string;
  readonly prefix2: string;
  readonly prefix3: string;
  /** ns since the epoch */
  readonly time: bigint;
  /** ns since the epoch */
  readonly ingested: bigint;
  readonly message: string | Uint8Array;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** What many events share, in the schema's form: written once, and copied for each of them. */
export interface SharedBytes {
  /** The customer and the labels. */
  readonly head: Uint8Array;
  readonly attributeCount: number;
  /** Names and values of the attributes. */
  readonly attributes: Uint8Array;
}

/** What is each event's own beside {@link SharedBytes}. */
export type OwnParts = Pick<EventToWrite, "time" | "ingested" | "message" | "attributes">;

/** Collects encoded events; `take` hands them over as one piece of bytes. */
export class EventWriter {
  /**
   * V8 forgets the shape of objects when a collection finds none of them, and all code compiled for it: without this
   * one an edge, which has no writer between two requests, compiled the loop anew after every collection.
   */
  static readonly kept = new EventWriter();

  #bytes: Buffer = noBytes;
  #position = 0;
  #count = 0;

  get sizeBytes(): number {
    return this.#position;
  }

  /** For {@link EventWriter.writeShared}. */
  static share(event: Omit<EventToWrite, "time" | "ingested" | "message">): SharedBytes {
    const writer = new EventWriter();
    writer.#writeHead(event);
    const headLength = writer.#position;
    const attributeCount = writer.#writeEntries(event.attributes ?? {});
    // Not a piece of Node's pool of small buffers, which would be kept as a whole.
    const bytes = new Uint8Array(writer.take().bytes);
    return {
      head: bytes.subarray(0, headLength),
      attributeCount,
      attributes: bytes.subarray(headLength),
    };
  }

  /** Appends one event, its fields in the schema's order. */
  write(event: EventToWrite): void {
    this.#writeHead(event);
    this.#writeTimesAndMessage(event);
    this.#writeMap(event.attributes);
    this.#count++;
  }

  /** Appends one event whose own attributes have other names than the shared ones. */
  writeShared(shared: SharedBytes, own: OwnParts): void {
    this.#copy(shared.head);
    this.#writeTimesAndMessage(own);
    let count = shared.attributeCount;
    for (const _ in own.attributes) count++;
    if (count > 0) {
      this.#reserve(MAX_VARINT);
      this.#writeLength(count);
      this.#copy(shared.attributes);
      if (own.attributes !== undefined) this.#writeEntries(own.attributes);
    }
    this.#writeEndOfMap();
    this.#count++;
  }

  #writeHead(event: Omit<EventToWrite, "time" | "ingested" | "message">): void {
    this.#writeText(event.customer);
    this.#writeText(event.prefix0);
    this.#writeText(event.prefix1);
    this.#writeText(event.prefix2);
    this.#writeText(event.prefix3);
  }

  #writeTimesAndMessage({ time, ingested, message }: OwnParts): void {
    this.#reserve(2 * MAX_VARINT);
    this.#writeTime(time);
    this.#writeTime(ingested);
    if (typeof message === "string") this.#writeText(message);
    else this.#writeBytes(message);
  }

  #writeText(text: string): void {
    this.#reserve(text.length * 3 + MAX_VARINT);
    if (text.length <= SHORT_TEXT && this.#writeShortAscii(text)) return;
    const length = Buffer.byteLength(text, "utf8");
    this.#writeLength(length);
    this.#position += this.#bytes.write(text, this.#position, length, "utf8");
  }

  /** The events since the last call; the writer starts anew. */
  take(): EncodedEvents {
    const used = this.#bytes.subarray(0, this.#position);
    const isHandedOver = used.length >= HANDED_OVER_BYTES;
    const taken = { count: this.#count, bytes: isHandedOver ? used : Buffer.from(used) };
    if (!isHandedOver) recycle({ count: 0, bytes: this.#bytes });
    this.#bytes = noBytes;
    this.#position = 0;
    this.#count = 0;
    return taken;
  }

  #writeShortAscii(text: string): boolean {
    const bytes = this.#bytes;
    let position = this.#position;
    bytes[position++] = text.length << 1;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[position++] = code;
    }
    this.#position = position;
    return true;
  }

  #writeBytes(value: Uint8Array): void {
    this.#reserve(value.length + MAX_VARINT);
    this.#writeLength(value.length);
    this.#copy(value);
  }

  #copy(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  #writeMap(entries: Readonly<Record<string, string>> | undefined): void {
    const names = entries === undefined ? [] : Object.keys(entries);
    if (entries !== undefined && names.length > 0) {
      this.#reserve(MAX_VARINT);
      this.#writeLength(names.length);
      for (const name of names) {
        this.#writeText(name);
        this.#writeText(entries[name] ?? "");
      }
    }
    this.#writeEndOfMap();
  }

  /** Returns how many there are. */
  #writeEntries(entries: Readonly<Record<string, string>>): number {
    let count = 0;
    for (const name in entries) {
      this.#writeText(name);
      this.#writeText(entries[name] ?? "");
      count++;
    }
    return count;
  }

  #writeEndOfMap(): void {
    this.#reserve(1);
    this.#bytes[this.#position++] = 0;
  }

  /** Zigzag varint of a non-negative 32-bit length. */
  #writeLength(length: number): void {
    let rest = length * 2;
    while (rest > 0x7f) {
      this.#bytes[this.#position++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#position++] = rest;
  }

  /** Zigzag varint of a non-negative time in two 32-bit halves: bigint arithmetic is several times slower. */
  #writeTime(time: bigint): void {
    clock[0] = time;
    const lower = clockHalves[0] ?? 0;
    let high = (((clockHalves[1] ?? 0) << 1) | (lower >>> 31)) >>> 0;
    let low = (lower << 1) >>> 0;
    const bytes = this.#bytes;
    let position = this.#position;
    while (high !== 0 || low > 0x7f) {
      bytes[position++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[position++] = low;
    this.#position = position;
  }

  #reserve(length: number): void {
    const needed = this.#position + length;
    if (needed <= this.#bytes.length) return;
    const grown =
      needed <= BUFFER_BYTES
        ? (spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES))
        : Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#position));
    this.#bytes = grown;
  }
}
