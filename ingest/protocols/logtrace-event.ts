// A LogTrace event from its JSON fields: over HTTP, and as Logstash sends them.
import { LogboomError } from "../../schemas/errors.ts";
import { parseEventTime, timestampForms } from "../../schemas/time.ts";
import type { IncomingEvent } from "./door.ts";

const DEFAULT_LEVEL = "INFO";
/** Deeper fields are kept as JSON. */
const MAX_DEPTH = 8;
const NS_PER_MS = 1_000_000n;
/** A smaller number counts seconds: as ms it would be before 1973. */
const FIRST_MS = 100_000_000_000;

export type Fields = Readonly<Record<string, unknown>>;

/** The fields that are no attributes. */
export const fieldsOfEvent: ReadonlySet<string> = new Set([
  "timestamp",
  "@timestamp",
  "@version",
  "message",
  "level",
  "service",
]);

const none: Fields = {};

/**
 * @param environment the key's, which is the event's
 * @param index of the event in its request, for refusals
 * @param more fields that count where `fields` has none of their name
 * @param own fields that are no attributes
 * @throws LogboomError BAD_REQUEST naming the field.
 */
export function logtraceEvent(
  fields: Fields,
  environment: string | undefined,
  index: number,
  more = none,
  own = fieldsOfEvent,
): IncomingEvent {
  const { message = more["message"], level = more["level"], service = more["service"] } = fields;
  if (typeof message !== "string") {
    throw fieldError(index, "message", message, "a string");
  }
  const { timestamp = more["timestamp"], "@timestamp": other = more["@timestamp"] } = fields;
  return {
    time: readTime(timestamp ?? other, index),
    prefix0: environment,
    prefix1: service === undefined || service === null ? undefined : asText(service),
    prefix2: level === undefined || level === null ? DEFAULT_LEVEL : asText(level),
    prefix3: "logtrace",
    message,
    attributes: attributesOf(fields, more, own),
  };
}

/** All other fields by their path: `{"a":{"b":1}}` is `a.b`. */
function attributesOf(
  fields: Fields,
  more: Fields,
  own: ReadonlySet<string>,
): Record<string, string> | undefined {
  let attributes: Record<string, string> | undefined;
  for (const name in more) {
    if (own.has(name) || Object.hasOwn(fields, name)) continue;
    attributes ??= {};
    flatten(attributes, name, more[name], 1);
  }
  for (const name in fields) {
    if (own.has(name)) continue;
    attributes ??= {};
    flatten(attributes, name, fields[name], 1);
  }
  return attributes;
}

function flatten(
  attributes: Record<string, string>,
  path: string,
  value: unknown,
  depth: number,
): void {
  if (isFields(value) && depth < MAX_DEPTH) {
    for (const name in value) flatten(attributes, `${path}.${name}`, value[name], depth + 1);
  } else {
    attributes[path] = asText(value);
  }
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  // As JSON writes it, without a call of its writer.
  return Number.isFinite(value) ? String(value) : JSON.stringify(value);
}

/** ISO 8601, or since the epoch a number of seconds or ms, or digits of seconds, ms or ns; absent, the time of arrival. */
function readTime(value: unknown, index: number): bigint | undefined {
  if (value === undefined || value === null) return undefined;
  const time =
    typeof value === "string"
      ? textTime(value)
      : typeof value === "number"
        ? numericTime(value)
        : undefined;
  if (time !== undefined) return time;
  throw fieldError(
    index,
    "timestamp",
    value,
    `${timestampForms}, or seconds or ms since the epoch`,
  );
}

/** Digits are told apart by how many there are, as KQL does: up to 11 count seconds, up to 14 ms, more ns. */
function textTime(value: string): bigint | undefined {
  const isShort = value.length <= 14 && /^\d+$/.test(value);
  return isShort ? numericTime(Number(value)) : parseEventTime(value);
}

function numericTime(value: number): bigint | undefined {
  const milliseconds = Math.round(value < FIRST_MS ? value * 1000 : value);
  return Number.isSafeInteger(milliseconds) && milliseconds >= 0
    ? BigInt(milliseconds) * NS_PER_MS
    : undefined;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fieldError(
  index: number,
  field: string,
  value: unknown,
  expected: string,
): LogboomError {
  const shown = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 100);
  return new LogboomError(
    "BAD_REQUEST",
    `event ${index}: unexpected ${shown} in "${field}"; expected ${expected}`,
    { details: { event: index, field, value: shown } },
  );
}
