// The native door, POST /api/ingest/v1: JSON, NDJSON or plain lines.
import { isUtf8 } from "node:buffer";
import { errorCatalogue, LogboomError, type ErrorDetails } from "../../schemas/errors.ts";
import { parseEventTime, timestampForms } from "../../schemas/time.ts";
import type { Door, DoorRequest, IncomingEvent } from "./door.ts";
import { locateJsonFault } from "./json-fault.ts";
import { splitLines } from "./lines.ts";

const IDEMPOTENCY_WINDOW_MS = 24 * 3_600_000;
const MAX_IDEMPOTENCY_KEY_BYTES = 255;

const labelNames = ["prefix0", "prefix1", "prefix2", "prefix3"] as const;
type Labels = Partial<Record<(typeof labelNames)[number], string>>;

export const nativeDoor = {
  name: "native",
  path: "/api/ingest/v1",
  keyKinds: ["write"],
  secret: ({ headers }) => /^Token\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1],
  idempotencyKey: ({ headers }) => {
    const value = headers["idempotency-key"];
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "" || value.length > MAX_IDEMPOTENCY_KEY_BYTES) {
      throw fieldError("Idempotency-Key", value, `1 to ${MAX_IDEMPOTENCY_KEY_BYTES} bytes`);
    }
    return { value, windowMs: IDEMPOTENCY_WINDOW_MS, bindsBody: true };
  },
  read: (request, body) => {
    const { customer, labels } = readQuery(request);
    const type = contentType(request);
    switch (type) {
      case "text/plain":
        return { customer, events: textEvents(body, labels) };
      case "application/x-ndjson":
      case "application/ndjson":
      case "application/jsonl":
        return { customer, events: ndjsonEvents(body, labels) };
      case "application/json": {
        const envelope = readEnvelope(body);
        if (customer !== undefined && envelope.customer !== undefined) {
          if (customer !== envelope.customer) {
            throw fieldError("customer", envelope.customer, `the query string's "${customer}"`);
          }
        }
        return {
          customer: envelope.customer ?? customer,
          events: envelopeEvents(envelope, labels, !isUtf8(body)),
        };
      }
      default:
        throw new LogboomError(
          "UNSUPPORTED_MEDIA",
          `unknown content type "${type}"; expected application/json, application/x-ndjson or text/plain`,
          { details: { field: "content-type", value: type } },
        );
    }
  },
  accepted: ({ accepted, invalidUtf8, isDuplicate }) => ({
    status: 202,
    body: {
      accepted,
      ...(invalidUtf8 > 0 && { invalidUtf8 }),
      ...(isDuplicate && { duplicate: true }),
    },
  }),
  refused: (error) => ({
    status: errorCatalogue[error.code].status,
    body: { error: error.message, errorCode: error.code, details: error.details },
  }),
} satisfies Door;

function contentType({ headers }: DoorRequest): string {
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
  const charset = parameters.map((part) => part.trim()).find((part) => part.startsWith("charset="));
  const name = charset?.slice("charset=".length).replaceAll('"', "").slice(0, 100);
  if (name !== undefined && !["utf-8", "utf8", "us-ascii"].includes(name)) {
    throw new LogboomError("UNSUPPORTED_MEDIA", `unknown charset "${name}"; expected utf-8`, {
      details: { field: "content-type", value: name },
    });
  }
  return type.trim().slice(0, 100);
}

function readQuery({ query }: DoorRequest): { customer: string | undefined; labels: Labels } {
  const labels: Labels = {};
  let customer: string | undefined;
  for (const [name, value] of query) {
    if (name !== "customer" && !isLabelName(name)) {
      throw unknownField("query parameter", name, "customer, prefix0 to prefix3");
    }
    if (query.getAll(name).length > 1) throw fieldError(name, value, "one value, not several");
    if (name === "customer") customer = value;
    else labels[name] = value;
  }
  return { customer, labels };
}

function* textEvents(body: Buffer, labels: Labels): Generator<IncomingEvent> {
  for (const line of splitLines(body)) yield { ...labels, message: line };
}

/** Lines that are parsed at a time: one call of the parser for many lines saves a quarter of its cost. */
const CHUNK_BYTES = 64 * 1024;
const LF = 0x0a;

function* ndjsonEvents(body: Buffer, labels: Labels): Generator<IncomingEvent> {
  const isValid = isUtf8(body);
  let lineNumber = 1;
  let start = 0;
  while (start < body.length) {
    const end = endOfLine(body, Math.min(start + CHUNK_BYTES, body.length) - 1);
    const values = isValid ? parseLines(body.toString("utf8", start, end)) : undefined;
    if (values === undefined) {
      lineNumber = yield* eventsByLine(body.subarray(start, end), labels, lineNumber, isValid);
    } else {
      for (const value of values) yield readEvent(value, labels, "line", lineNumber++, false);
    }
    start = end;
  }
}

/** One past the line feed at or after a position. */
function endOfLine(body: Buffer, position: number): number {
  const lineFeed = body.indexOf(LF, position);
  return lineFeed < 0 ? body.length : lineFeed + 1;
}

/**
 * The values of lines that are one object each; undefined when any is not, or is not JSON. Every line has to
 * begin and end with a brace, and the line feeds stay, which no string may hold: then two lines that are no JSON apart can only be JSON joined as elements of an
 * array within an object, which no event has.
 */
function parseLines(text: string): unknown[] | undefined {
  let lineCount = 0;
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (text[start] !== "{" || text[end - 1] !== "}") return undefined;
    lineCount++;
    start = end + 1;
  }
  try {
    const joined = text.trimEnd().replaceAll("\n", ",\n");
    const values = JSON.parse(`[${joined}]`) as unknown[];
    return values.length === lineCount ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Line by line, which also tells the line and the offset of a fault; returns the next line's number. */
function* eventsByLine(
  body: Buffer,
  labels: Labels,
  firstLine: number,
  isValid: boolean,
): Generator<IncomingEvent, number> {
  let lineNumber = firstLine - 1;
  for (const line of splitLines(body)) {
    lineNumber++;
    const text = line.toString("utf8");
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      if (text.trim() === "") continue;
      const { reason, offset } = locateJsonFault(text, error);
      throw new LogboomError(
        "BAD_REQUEST",
        `invalid JSON in line ${lineNumber} at offset ${offset}: ${reason}`,
        { details: { line: lineNumber, offset }, cause: error },
      );
    }
    yield readEvent(value, labels, "line", lineNumber, !isValid && !isUtf8(line));
  }
  return lineNumber + 1;
}

interface Envelope {
  readonly customer: string | undefined;
  readonly labels: Labels;
  readonly events: readonly unknown[];
}

function readEnvelope(body: Buffer): Envelope {
  const text = body.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { reason, line, offset } = locateJsonFault(text, error);
    throw new LogboomError(
      "BAD_REQUEST",
      `invalid JSON in line ${line} at offset ${offset}: ${reason}`,
      { details: { line, offset }, cause: error },
    );
  }
  if (!isObject(value)) throw fieldError("body", value, 'an object with "events"');
  const labels: Labels = {};
  let customer: string | undefined;
  for (const [name, field] of Object.entries(value)) {
    if (isLabelName(name)) labels[name] = readText(name, field, {});
    else if (name === "customer") customer = readText(name, field, {});
    else if (name !== "events")
      throw unknownField("field", name, "customer, prefix0 to prefix3, events");
  }
  const events = value["events"];
  if (!Array.isArray(events)) throw fieldError("events", events, "an array of events");
  return { customer, labels, events };
}

function* envelopeEvents(
  envelope: Envelope,
  queryLabels: Labels,
  hadInvalidUtf8: boolean,
): Generator<IncomingEvent> {
  const labels = { ...queryLabels, ...envelope.labels };
  let index = 0;
  for (const event of envelope.events) {
    const read = readEvent(event, labels, "event", index++, false);
    // Which event held the invalid bytes is not known any more: those with the replacement are counted.
    yield hadInvalidUtf8 && (read.message as string).includes("\uFFFD")
      ? { ...read, hadInvalidUtf8: true }
      : read;
  }
}

/** Where an event stands: "line" counts from 1, "event" from 0. */
type Place = "line" | "event";

/** Fields by name, and how many there are: an iteration over names would cost more than the parsing. */
function readEvent(
  value: unknown,
  labels: Labels,
  place: Place,
  number: number,
  hadInvalidUtf8: boolean,
): IncomingEvent {
  if (!isObject(value)) {
    throw fieldError("event", value, "an object with a message", { [place]: number });
  }
  const { time, message, prefix0, prefix1, prefix2, prefix3, attributes } = value;
  const known =
    Number(time !== undefined) +
    Number(message !== undefined) +
    Number(prefix0 !== undefined) +
    Number(prefix1 !== undefined) +
    Number(prefix2 !== undefined) +
    Number(prefix3 !== undefined) +
    Number(attributes !== undefined);
  let given = 0;
  for (const _ in value) given++;
  const isPlain =
    given === known &&
    typeof message === "string" &&
    isTextOrAbsent(prefix0) &&
    isTextOrAbsent(prefix1) &&
    isTextOrAbsent(prefix2) &&
    isTextOrAbsent(prefix3) &&
    (attributes === undefined || isObject(attributes));
  if (!isPlain) throw faultOf(value, { [place]: number });
  return {
    time: time === undefined ? undefined : readTime(time, place, number),
    prefix0: prefix0 ?? labels.prefix0,
    prefix1: prefix1 ?? labels.prefix1,
    prefix2: prefix2 ?? labels.prefix2,
    prefix3: prefix3 ?? labels.prefix3,
    message,
    // What the values are is checked with the other limits, for every door.
    attributes: attributes as Record<string, string> | undefined,
    hadInvalidUtf8,
  };
}

/** The first field of an event that cannot be taken. */
function faultOf(value: Record<string, unknown>, where: ErrorDetails): LogboomError {
  for (const [name, field] of Object.entries(value)) {
    if (name === "message" || isLabelName(name)) {
      if (typeof field !== "string") return fieldError(name, field, "a string", where);
    } else if (name === "attributes") {
      if (!isObject(field)) return fieldError(name, field, "an object of strings", where);
    } else if (name !== "time") {
      return unknownField("field", name, "time, prefix0 to prefix3, message, attributes", where);
    }
  }
  return fieldError("message", undefined, "a string", where);
}

function readTime(value: unknown, place: Place, number: number): bigint {
  const time = typeof value === "string" ? parseEventTime(value) : undefined;
  if (time !== undefined) return time;
  const expected = `a string: ns since the epoch, or ${timestampForms}`;
  throw fieldError("time", value, expected, { [place]: number });
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function readText(name: string, value: unknown, where: ErrorDetails): string {
  if (typeof value !== "string") throw fieldError(name, value, "a string", where);
  return value;
}

function isLabelName(name: string): name is (typeof labelNames)[number] {
  return (labelNames as readonly string[]).includes(name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldError(
  field: string,
  value: unknown,
  expected: string,
  where: ErrorDetails = {},
): LogboomError {
  const shown = shortened(value);
  return new LogboomError(
    "BAD_REQUEST",
    `${describe(where)}unexpected ${shown} in "${field}"; expected ${expected}`,
    { details: { ...where, field, value: shown } },
  );
}

function unknownField(
  what: string,
  name: string,
  expected: string,
  where: ErrorDetails = {},
): LogboomError {
  const shown = shortened(name);
  return new LogboomError(
    "BAD_REQUEST",
    `${describe(where)}unknown ${what} ${shown}; expected ${expected}`,
    { details: { ...where, field: name.slice(0, 100) } },
  );
}

function describe(where: ErrorDetails): string {
  const [place] = Object.entries(where);
  return place === undefined ? "" : `${place[0]} ${String(place[1])}: `;
}

/** A value as it may be repeated in an error: cut, so that the reply stays small. */
function shortened(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
