// An event as Loggly shows it.
import { createHash } from "node:crypto";
import type { FoundEvent } from "../ask/question.ts";
import { keepExact } from "../exchange/exact-number.ts";
import { logglyField } from "../language/loggly.ts";
import { EventReader } from "../language/event-reader.ts";

const NS_PER_MS = 1_000_000n;

export interface LogglyEvent {
  readonly id: string;
  /** ms since the epoch */
  readonly timestamp: number;
  readonly logmsg: string;
  readonly raw: string;
  readonly unparsed: null;
  readonly logtypes: readonly string[];
  readonly tags: readonly string[];
  readonly event: Readonly<Record<string, unknown>>;
}

export function toLogglyEvent(event: FoundEvent): LogglyEvent {
  const { message, attributes } = event;
  const json = parseObject(message);
  const syslog = partOf(attributes, "syslog.");
  const http = partOf(attributes, "http.");
  const logtypes = [
    ...(json === undefined ? [] : ["json"]),
    ...(Object.keys(syslog).length === 0 ? [] : ["syslog"]),
  ];
  return {
    id: idOf(event),
    timestamp: Number(event.time / NS_PER_MS),
    logmsg: message,
    raw: message,
    unparsed: null,
    logtypes: logtypes.length === 0 ? ["plain"] : logtypes,
    tags: tagsOf(event),
    event: {
      ...(json !== undefined && { json }),
      ...(Object.keys(syslog).length > 0 && { syslog }),
      ...(Object.keys(http).length > 0 && { http }),
    },
  };
}

/** The value of a column of a table of events, as text. */
export function columnOf(event: FoundEvent, name: string): string {
  switch (name) {
    case "id":
      return idOf(event);
    case "timestamp":
      return String(event.time / NS_PER_MS);
    case "raw":
    case "logmsg":
      return event.message;
    case "tags":
      return tagsOf(event).join(",");
    case "logtypes":
      return toLogglyEvent(event).logtypes.join(",");
    default: {
      const reader = new EventReader({ ...event, message: Buffer.from(event.message) });
      return reader.texts(logglyField(name)).join(",");
    }
  }
}

/** As a UUID is written; the same event always has the same one. */
function idOf({ time, ingested, tie }: FoundEvent): string {
  const hex = createHash("sha256").update(`${time}/${ingested}/${tie}`).digest("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join("-");
}

/** The attribute holds all; the label has room for some. */
function tagsOf({ attributes, prefixes }: FoundEvent): string[] {
  return (attributes["tags"] ?? prefixes[2]).split(",").filter((tag) => tag !== "");
}

function partOf(
  attributes: Readonly<Record<string, string>>,
  prefix: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

/** With each whole number as it was sent: ids of 64 bits are more than a JavaScript number holds. */
function parseObject(message: string): unknown {
  if (!message.trimStart().startsWith("{")) return undefined;
  try {
    return /\d{16}/.test(message) ? JSON.parse(message, keepExact) : JSON.parse(message);
  } catch {
    return undefined;
  }
}
