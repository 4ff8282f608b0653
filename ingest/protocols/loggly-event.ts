// What Loggly's doors have in common: tags, labels, and what is read from a JSON event.
import { eventTimeRange, parseTimestamp } from "../../schemas/time.ts";
import type { IncomingEvent } from "./door.ts";

/** The vendor's rule for a tag; others are dropped, and their event kept. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Labels have no more room, so the list of all is an attribute as well. */
const MAX_TAGS_LABEL_BYTES = 255;
const NS_PER_US = 1_000n;
const OPENING_BRACE = 0x7b;
const SPACE = 0x20;

/** What all events of a request share. */
export interface LogglyContext {
  /** The first tag, the application. */
  readonly app: string | undefined;
  /** All tags, sorted. */
  readonly tagsLabel: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The valid ones of tags in order of their first appearance. */
export function readTags(texts: readonly string[]): string[] {
  const tags = texts.flatMap((text) => text.split(",")).map((tag) => tag.trim());
  return [...new Set(tags.filter((tag) => TAG.test(tag)))];
}

/** @param facts attributes besides the tags */
export function logglyContext(
  tags: readonly string[],
  facts: Readonly<Record<string, string>>,
): LogglyContext {
  return {
    app: tags[0],
    tagsLabel: tags.length === 0 ? undefined : tagsLabel(tags),
    attributes: tags.length === 0 ? facts : { tags: tags.join(","), ...facts },
  };
}

/** Labels, and of a JSON event its host and time. */
export function logglyEvent(message: Buffer, context: LogglyContext): IncomingEvent {
  const { host, time } = jsonFacts(message);
  return {
    time,
    prefix0: host,
    prefix1: context.app,
    prefix2: context.tagsLabel,
    prefix3: "loggly",
    message,
    attributes: context.attributes,
  };
}

/**
 * The time and the host that a JSON event gives itself: `timestamp` in ISO 8601 or ms since the epoch, as
 * go-loggly 0.5 sends it; `hostname` or `host`.
 */
export function jsonFacts(message: Buffer): { time?: bigint; host?: string } {
  if (!beginsWithBrace(message)) return {};
  // An event with neither need not be parsed.
  if (!message.includes('"timestamp"') && !message.includes('"host')) return {};
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(message.toString("utf8")) as Record<string, unknown>;
  } catch {
    return {};
  }
  const { timestamp, hostname, host } = value;
  const time = readTime(timestamp);
  const name = [hostname, host].find((one) => typeof one === "string" && one !== "");
  return {
    ...(time !== undefined && { time }),
    ...(typeof name === "string" && { host: name }),
  };
}

function beginsWithBrace(message: Buffer): boolean {
  let start = 0;
  while (start < message.length && (message[start] ?? 0) <= SPACE) start++;
  return message[start] === OPENING_BRACE;
}

/** One that cannot be stored is none: an agent would lose all events of its request. */
function readTime(value: unknown): bigint | undefined {
  const time = typeof value === "string" ? parseTimestamp(value) : readMilliseconds(value);
  if (time === undefined || time < eventTimeRange.first) return undefined;
  return time < eventTimeRange.end ? time : undefined;
}

function readMilliseconds(value: unknown): bigint | undefined {
  // Clocks of Python and of browsers give fractions of a ms.
  const us = typeof value === "number" ? Math.round(value * 1_000) : 0;
  return Number.isSafeInteger(us) && us > 0 ? BigInt(us) * NS_PER_US : undefined;
}

function tagsLabel(tags: readonly string[]): string {
  const label = tags.toSorted().join(",");
  if (label.length <= MAX_TAGS_LABEL_BYTES) return label;
  // As many whole tags as have room.
  return label.slice(0, label.lastIndexOf(",", MAX_TAGS_LABEL_BYTES));
}
