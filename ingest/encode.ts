// From a protocol's events to encoded ones: defaults, labels and limits are applied here, for every door.
import { isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { EncodedEvents } from "../schemas/event-codec.ts";
import { EventWriter } from "../schemas/event-writer.ts";
import { LogboomError } from "../schemas/errors.ts";
import { eventTimeRange, formatTimestamp } from "../schemas/time.ts";
import type { IncomingEvent, Mending } from "./protocols/door.ts";
import { checkLabels } from "./labels.ts";
import { MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTES } from "./limits.ts";
import { cutMessage, mendEvent } from "./mend.ts";
import { withoutOrigin } from "./origin.ts";
import type { Partitions } from "./partitions.ts";
import type { Principal } from "./tokens.ts";

/** Encoded events of a partition are cut into pieces of about this size, each at most one log record. */
const PIECE_BYTES = 128 * 1024;
/** Other requests get a turn after so many events. */
const EVENTS_PER_TURN = 2_000;
const MAX_EVENTS = 1_000_000;
/** Every day of a request becomes parts of its own in the store. */
const MAX_DAYS = 1_000;
const NS_PER_DAY = 86_400_000_000_000n;

/** A request's events, ready for the log. */
export interface EncodedRequest {
  readonly pieces: readonly { readonly partition: number; readonly events: EncodedEvents }[];
  readonly accepted: number;
  readonly invalidUtf8: number;
  readonly mended: number;
  readonly sizeBytes: number;
}

interface EncodeOptions {
  readonly principal: Principal;
  readonly partitions: Partitions;
  readonly clock: ArrivalClock;
  readonly maxEventBytes: number;
  readonly mending?: Mending | undefined;
}

/** Gives each event its time of arrival: ns since the epoch, strictly increasing, so that it orders ties. */
export class ArrivalClock {
  #last = 0n;

  /** The time of arrival of a request, for events without a time. */
  now(): bigint {
    const now = BigInt(Date.now()) * 1_000_000n;
    if (now > this.#last) this.#last = now;
    return now;
  }

  next(): bigint {
    return ++this.#last;
  }
}

/** @throws LogboomError at the first event that cannot be accepted. */
export async function encodeRequest(
  events: Iterable<IncomingEvent>,
  { principal, partitions, clock, maxEventBytes, mending = "refuse" }: EncodeOptions,
): Promise<EncodedRequest> {
  const { customer } = principal;
  const writers = new Map<number, EventWriter>();
  const pieces: { partition: number; events: EncodedEvents }[] = [];
  const days = new Set<bigint>();
  const arrival = clock.now();
  let lastDay = -1n;
  let accepted = 0;
  let invalidUtf8 = 0;
  let mended = 0;
  let sizeBytes = 0;

  const finishPiece = (partition: number, writer: EventWriter): void => {
    sizeBytes += writer.sizeBytes;
    pieces.push({ partition, events: writer.take() });
  };

  const writerOf = (partition: number): EventWriter => {
    let writer = writers.get(partition);
    if (writer === undefined) writers.set(partition, (writer = new EventWriter()));
    return writer;
  };

  for (const given of events) {
    const shared =
      mending === "refuse"
        ? undefined
        : given.origin?.placeOf(given, principal, partitions, maxEventBytes);
    const whole = shared === undefined ? withoutOrigin(given) : given;
    const isAsGiven = mending === "refuse" || shared !== undefined;
    const event = isAsGiven ? whole : mendEvent(whole, mending, maxEventBytes);
    if (event !== whole) mended++;
    let time = event.time ?? arrival;
    if (time < eventTimeRange.first || time >= eventTimeRange.end)
      throw timeOutOfRange(time, accepted);
    const day = time / NS_PER_DAY;
    if (day !== lastDay) {
      lastDay = day;
      days.add(day);
      if (days.size > MAX_DAYS) {
        if (mending !== "all") throw tooMany("days of event times", days.size, MAX_DAYS);
        days.delete(day);
        lastDay = -1n;
        time = arrival;
        mended++;
      }
    }
    let message = validText(event.message);
    if (message !== event.message || event.hadInvalidUtf8 === true) invalidUtf8++;
    // A replaced byte takes three.
    if (mending === "all") message = cutMessage(message, maxEventBytes);
    else checkMessageSize(message, maxEventBytes, accepted);
    if (event.attributes !== undefined && mending === "refuse") {
      checkAttributes(event.attributes, accepted);
    }
    const { attributes } = event;
    let partition: number;
    let writer: EventWriter;
    if (shared === undefined) {
      const { prefix0 = "", prefix1 = "", prefix2 = "", prefix3 = "" } = event;
      checkLabels(principal, accepted, prefix0, prefix1, prefix2, prefix3);
      partition = partitions.of(customer, prefix0);
      writer = writerOf(partition);
      writer.write({
        customer,
        prefix0,
        prefix1,
        prefix2,
        prefix3,
        time,
        ingested: clock.next(),
        message,
        attributes,
      });
    } else {
      partition = shared.partition;
      writer = writerOf(partition);
      writer.writeShared(shared.bytes, { time, ingested: clock.next(), message, attributes });
    }
    if (writer.sizeBytes >= PIECE_BYTES) finishPiece(partition, writer);
    if (++accepted > MAX_EVENTS) throw tooMany("events", accepted, MAX_EVENTS);
    if (accepted % EVENTS_PER_TURN === 0) await nextTurn();
  }
  for (const [partition, writer] of writers) {
    if (writer.sizeBytes > 0) finishPiece(partition, writer);
  }
  return { pieces, accepted, invalidUtf8, mended, sizeBytes };
}

/** The same message when it is valid, else with U+FFFD in place of what is not. */
function validText(message: string | Buffer): string | Buffer {
  if (typeof message === "string") return message.isWellFormed() ? message : message.toWellFormed();
  return isUtf8(message) ? message : message.toString("utf8");
}

function checkMessageSize(message: string | Buffer, limit: number, index: number): void {
  // A UTF-16 unit is at most three bytes: most messages need not be measured.
  if (typeof message === "string" && message.length * 3 <= limit) return;
  const size = typeof message === "string" ? Buffer.byteLength(message, "utf8") : message.length;
  if (size <= limit) return;
  throw new LogboomError(
    "TOO_LARGE",
    `event ${index}: the message of ${size} bytes exceeds the limit of ${limit} bytes`,
    { details: { event: index, field: "message", value: size, limit } },
  );
}

function checkAttributes(attributes: Readonly<Record<string, string>>, index: number): void {
  const entries = Object.entries(attributes);
  const refuse = (text: string, limit?: number): never => {
    throw new LogboomError("BAD_REQUEST", `event ${index}: ${text}`, {
      details: { event: index, field: "attributes", ...(limit !== undefined && { limit }) },
    });
  };
  if (entries.length > MAX_ATTRIBUTES) {
    refuse(`${entries.length} attributes exceed the limit of ${MAX_ATTRIBUTES}`, MAX_ATTRIBUTES);
  }
  for (const [name, value] of entries) {
    const shown = JSON.stringify(name.slice(0, 40));
    // JavaScript's own name: readers that assign it to an object lose it.
    if (name === "__proto__") refuse(`the attribute name ${shown} is reserved`);
    const nameBytes = Buffer.byteLength(name, "utf8");
    if (nameBytes === 0 || nameBytes > MAX_ATTRIBUTE_NAME_BYTES) {
      refuse(
        `the attribute name ${shown} has ${nameBytes} bytes; expected 1 to ${MAX_ATTRIBUTE_NAME_BYTES}`,
        MAX_ATTRIBUTE_NAME_BYTES,
      );
    }
    if (typeof value !== "string") refuse(`attribute ${shown} is not a string`);
    if (Buffer.byteLength(value, "utf8") > MAX_ATTRIBUTE_BYTES) {
      refuse(
        `the value of attribute ${shown} has ${Buffer.byteLength(value, "utf8")} bytes; the limit is ${MAX_ATTRIBUTE_BYTES}`,
        MAX_ATTRIBUTE_BYTES,
      );
    }
  }
}

function timeOutOfRange(time: bigint, index: number): LogboomError {
  const { first, end } = eventTimeRange;
  const range = `${formatTimestamp(first)} to before ${formatTimestamp(end)}`;
  const value = `${formatTimestamp(time)} (${time} ns)`;
  return new LogboomError(
    "BAD_REQUEST",
    `event ${index}: the time ${value} in "time" is out of range; expected ${range}`,
    { details: { event: index, field: "time", value, limit: range } },
  );
}

function tooMany(what: string, count: number, limit: number): LogboomError {
  return new LogboomError("TOO_LARGE", `more than ${limit} ${what} in one request`, {
    details: { value: count, limit },
  });
}
