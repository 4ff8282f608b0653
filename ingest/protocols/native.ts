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

export const nativeDoor: Door = {
  name: "native",
  path: "/api/ingest/v1",
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
};

function contentType({ headers }: DoorRequest): string {
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";");
  const charset = parameters.map((part) => part.trim()).find((part) => part.startsWith("charset="));
  const name = charset?.slice("charset=".length).replaceAll('"', "");
  if (name !== undefined && !["utf-8", "utf8", "us-ascii"].includes(name)) {
    throw new LogboomError("UNSUPPORTED_MEDIA", `unknown charset "${name}"; expected utf-8`, {
      details: { field: "content-type", value: name },
    });
  }
  return type.trim();
}

function readQuery({ query }: DoorRequest): { customer: string | undefined; labels: Labels } {
  const labels: Labels = {};
  let customer: string | undefined;
  for (const [name, value] of query) {
    if (name === "customer") customer = value;
    else if (isLabelName(name)) labels[name] = value;
    else throw unknownField("query parameter", name, "customer, prefix0 to prefix3");
  }
  return { customer, labels };
}

function* textEvents(body: Buffer, labels: Labels): Generator<IncomingEvent> {
  for (const line of splitLines(body)) yield { ...labels, message: line };
}

function* ndjsonEvents(body: Buffer, labels: Labels): Generator<IncomingEvent> {
  const isValid = isUtf8(body);
  let lineNumber = 0;
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
    const where = { line: lineNumber };
    yield readEvent(value, labels, where, !isValid && !isUtf8(line));
  }
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
    else if (name !== "events") throw unknownField("field", name, "customer, prefix0 to prefix3, events");
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
    const read = readEvent(event, labels, { event: index++ }, false);
    // Which event held the invalid bytes is not known any more: those with the replacement are counted.
    yield hadInvalidUtf8 && (read.message as string).includes("\uFFFD")
      ? { ...read, hadInvalidUtf8: true }
      : read;
  }
}

function readEvent(
  value: unknown,
  labels: Labels,
  where: ErrorDetails,
  hadInvalidUtf8: boolean,
): IncomingEvent {
  if (!isObject(value)) throw fieldError("event", value, "an object with a message", where);
  const event: {
    -readonly [Name in keyof IncomingEvent]: IncomingEvent[Name];
  } = {
    time: undefined,
    prefix0: labels.prefix0,
    prefix1: labels.prefix1,
    prefix2: labels.prefix2,
    prefix3: labels.prefix3,
    message: "",
    attributes: undefined,
    hadInvalidUtf8,
  };
  let hasMessage = false;
  for (const name in value) {
    const field = value[name];
    switch (name) {
      case "message":
        event.message = readText(name, field, where);
        hasMessage = true;
        break;
      case "time":
        event.time = readTime(field, where);
        break;
      case "prefix0":
      case "prefix1":
      case "prefix2":
      case "prefix3":
        event[name] = readText(name, field, where);
        break;
      case "attributes":
        if (!isObject(field)) throw fieldError(name, field, "an object of strings", where);
        event.attributes = field as Record<string, string>;
        break;
      default:
        throw unknownField("field", name, "time, prefix0 to prefix3, message, attributes", where);
    }
  }
  if (!hasMessage) throw fieldError("message", undefined, "a string", where);
  return event;
}

function readTime(value: unknown, where: ErrorDetails): bigint {
  const time = typeof value === "string" ? parseEventTime(value) : undefined;
  if (time === undefined) {
    throw fieldError("time", value, `a string: ns since the epoch, or ${timestampForms}`, where);
  }
  return time;
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
