// Brings an event within the limits, for protocols whose agents cannot correct what they send.
import { eventTimeRange } from "../schemas/time.ts";
import { isPlainLabel } from "./labels.ts";
import {
  MAX_ATTRIBUTE_BYTES,
  MAX_ATTRIBUTE_NAME_BYTES,
  MAX_ATTRIBUTES,
  MAX_LABEL_BYTES,
} from "./limits.ts";
import type { IncomingEvent, Mending } from "./protocols/door.ts";

/** Found fit last: the events of a log share their attributes. */
let lastFit: IncomingEvent["attributes"];

/** The event itself when nothing has to be changed, which is nearly always. */
export function mendEvent(
  event: IncomingEvent,
  mending: Exclude<Mending, "refuse">,
  maxEventBytes: number,
): IncomingEvent {
  const { time, prefix0, prefix1, prefix2, prefix3, message, attributes } = event;
  const isAll = mending === "all";
  const isFit =
    isLabelFit(prefix0) &&
    isLabelFit(prefix1) &&
    isLabelFit(prefix2) &&
    isLabelFit(prefix3) &&
    (attributes === undefined || attributes === lastFit || areAttributesFit(attributes)) &&
    (!isAll || (isMessageFit(message, maxEventBytes) && isTimeFit(time)));
  if (isFit) {
    lastFit = attributes;
    return event;
  }
  return {
    ...event,
    prefix0: mendLabel(prefix0),
    prefix1: mendLabel(prefix1),
    prefix2: mendLabel(prefix2),
    prefix3: mendLabel(prefix3),
    attributes: attributes === undefined ? undefined : mendAttributes(attributes),
    message: isAll ? cutMessage(message, maxEventBytes) : message,
    time: isAll && !isTimeFit(time) ? undefined : time,
  };
}

/** Whether nothing of an event has to be changed but, perhaps, its labels. */
export function isOwnFit(
  { time, message, attributes }: IncomingEvent,
  maxEventBytes: number,
): boolean {
  return (
    (attributes === undefined || areAttributesFit(attributes)) &&
    isMessageFit(message, maxEventBytes) &&
    isTimeFit(time)
  );
}

/** The first so many bytes of a UTF-8 text, without the part of a character at its end. */
export function cutUtf8(text: Buffer, maxBytes: number): Buffer {
  return text.length <= maxBytes ? text : text.subarray(0, characterStart(text, maxBytes));
}

/** The last position, at or a little before the one given, at which a character begins. */
export function characterStart(text: Buffer, position: number): number {
  let start = position;
  while (start > 0 && position - start < 4 && ((text[start] ?? 0) & 0xc0) === 0x80) start--;
  // No character is longer: this is not UTF-8, and any place is as good.
  return position - start < 4 ? start : position;
}

export function isLabelFit(label: string | undefined): boolean {
  return label === undefined || isPlainLabel(label) || mendLabel(label) === label;
}

function mendLabel(label: string | undefined): string | undefined {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const text = label?.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  return text === undefined ? undefined : cutText(text, MAX_LABEL_BYTES);
}

export function areAttributesFit(attributes: Readonly<Record<string, string>>): boolean {
  let count = 0;
  for (const name in attributes) {
    count++;
    const isNameFit = name.length * 3 <= MAX_ATTRIBUTE_NAME_BYTES && name !== "";
    if (!isNameFit && cutText(name, MAX_ATTRIBUTE_NAME_BYTES) !== name) return false;
    if (name === "" || name === "__proto__") return false;
    const value = attributes[name] ?? "";
    if (value.length * 3 > MAX_ATTRIBUTE_BYTES && cutText(value, MAX_ATTRIBUTE_BYTES) !== value) {
      return false;
    }
  }
  return count <= MAX_ATTRIBUTES;
}

/** The first ones, cut to what may be kept; two names that become one keep the first value. */
function mendAttributes(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const mended: Record<string, string> = {};
  let count = 0;
  for (const [name, value] of Object.entries(attributes)) {
    const kept = cutText(name, MAX_ATTRIBUTE_NAME_BYTES);
    if (kept === "" || kept === "__proto__" || kept in mended) continue;
    if (++count > MAX_ATTRIBUTES) break;
    mended[kept] = cutText(value, MAX_ATTRIBUTE_BYTES);
  }
  return mended;
}

function isMessageFit(message: string | Buffer, limit: number): boolean {
  if (typeof message !== "string") return message.length <= limit;
  return message.length * 3 <= limit || Buffer.byteLength(message, "utf8") <= limit;
}

export function cutMessage(message: string | Buffer, limit: number): string | Buffer {
  return typeof message === "string" ? cutText(message, limit) : cutUtf8(message, limit);
}

function isTimeFit(time: bigint | undefined): boolean {
  return time === undefined || (time >= eventTimeRange.first && time < eventTimeRange.end);
}

function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text, "utf8") <= maxBytes) return text;
  return cutUtf8(Buffer.from(text, "utf8"), maxBytes).toString("utf8");
}
