// Loggly's syslog: RFC 5424 messages whose structured data holds the customer token and the tags.
import { parseTimestamp } from "../../schemas/time.ts";
import { Origin } from "../origin.ts";
import type { IncomingEvent } from "./door.ts";
import type { LineProtocol } from "./line-protocol.ts";
import { jsonFacts, logglyContext, readTags } from "./loggly-event.ts";
import { SyslogSenders } from "./syslog-senders.ts";

/** `[TOKEN@41058 tag="a" tag="b"]`: found by itself, as a header with empty fields defeats splitting at blanks. */
const element =
  /\[([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})@41058((?: +[^\s="\]]+="(?:\\.|[^"\\])*")*) *\]/i;
const elementHere = new RegExp(element, "iy");
const parameter = / +([^\s="\]]+)="((?:\\.|[^"\\])*)"/g;
const header = /^<(\d{1,3})>\d* ?(.*)$/s;
/** The element stands near the beginning; a search through all of a long message would be for nothing. */
const MAX_HEAD_BYTES = 16_384;

const severities = [
  "Emergency",
  "Alert",
  "Critical",
  "Error",
  "Warning",
  "Notice",
  "Informational",
  "Debug",
];
const facilities = [
  "kernel messages",
  "user-level messages",
  "mail system",
  "system daemons",
  "security/authorization messages",
  "messages generated internally by syslogd",
  "line printer subsystem",
  "network news subsystem",
  "UUCP subsystem",
  "clock daemon",
  "security/authorization messages",
  "FTP daemon",
  "NTP subsystem",
  "log audit",
  "log alert",
  "clock daemon",
  ...Array.from({ length: 8 }, (_, index) => `local use ${index}`),
];

export const logglySyslog: LineProtocol = {
  name: "loggly-syslog",
  overflow: "cut",
  countsOctets: true,
  open: (sink) => (line) => {
    if (line.length === 0) return;
    const read = readSyslog(line);
    if (read === undefined) {
      sink.drop("malformed");
      return;
    }
    const principal = sink.find(read.token);
    if (principal === undefined) sink.drop("unknown-key");
    else sink.store(principal, read.event, line.length);
  },
};

/**
 * Undefined when there is no token.
 * @param memory of the senders of former lines
 */
export function readSyslog(
  line: Buffer,
  memory = senders,
): { token: string; event: IncomingEvent } | undefined {
  const found = findSender(line, memory);
  if (found === undefined) return undefined;
  const { sender, timestamp, end } = found;
  const { token, origin } = sender;
  const message = line.subarray(messageStart(line, end));
  const attributes = timestamp === "" ? undefined : { "syslog.timestamp": timestamp };
  const facts = jsonFacts(message);
  const time = facts.time ?? parseTimestamp(timestamp);
  if (facts.host === undefined || origin.labels.prefix0 !== undefined) {
    return { token, event: { origin, time, message, attributes } };
  }
  const own = new Origin({ ...origin.labels, prefix0: facts.host }, origin.attributes);
  return { token, event: { origin: own, time, message, attributes } };
}

/** What a line says of its sender: header and element but for the time, which differs from line to line. */
export interface Sender {
  readonly token: string;
  readonly origin: Origin;
}

interface FoundSender {
  readonly sender: Sender;
  /** As it was sent; empty when there is none. */
  readonly timestamp: string;
  /** Where the element ends. */
  readonly end: number;
}

/** A relay brings the lines of many programs. */
const senders = new SyslogSenders<Sender>();

function findSender(line: Buffer, memory: SyslogSenders<Sender>): FoundSender | undefined {
  const place = memory.locate(line);
  const known = place === undefined ? undefined : memory.find(line, place);
  if (place !== undefined && known !== undefined) {
    const { timeStart, timeEnd, end } = place;
    return { sender: known, timestamp: timeText(line.toString("latin1", timeStart, timeEnd)), end };
  }
  const head = line.toString("latin1", 0, MAX_HEAD_BYTES);
  const read = readSender(head);
  if (place !== undefined && read?.end === place.end) memory.add(line, place, read.sender);
  return read;
}

function timeText(text: string): string {
  return text === "-" ? "" : text;
}

function readSender(head: string): FoundSender | undefined {
  const found = findElement(head);
  if (found === undefined) return undefined;
  const { start, end } = found;
  const first = head.indexOf(" ");
  const second = head.indexOf(" ", first + 1);
  const hasTime = first > 0 && second > 0 && second < start;
  const parts = element.exec(head.slice(start, end)) ?? [];
  const { host, app, attributes } = readHeader(utf8(head.slice(0, start)));
  const tags = [...(parts[2] ?? "").matchAll(parameter)]
    .filter(([, parameterName]) => parameterName === "tag")
    .map(([, , value = ""]) => utf8(value.replace(/\\(["\\\]])/g, "$1")));
  const context = logglyContext(readTags(tags), attributes);
  const labels = {
    prefix0: host,
    prefix1: app ?? context.app,
    prefix2: context.tagsLabel,
    prefix3: "loggly",
  };
  return {
    // A copy: a part of a string keeps all of it.
    sender: { token: utf8(parts[1] ?? ""), origin: new Origin(labels, context.attributes) },
    timestamp: hasTime ? timeText(head.slice(first + 1, second)) : "",
    end,
  };
}

/** Where the element with the token is. */
function findElement(head: string): { readonly start: number; readonly end: number } | undefined {
  const mark = head.indexOf("@41058");
  if (mark < 0) return undefined;
  // Nearly always the first mark is the token's: there is no need to look from the beginning.
  const start = head.lastIndexOf("[", mark);
  elementHere.lastIndex = start;
  const here = start < 0 ? null : elementHere.exec(head);
  if (here !== null) return { start, end: start + here[0].length };
  const found = element.exec(head);
  if (found === null) return undefined;
  return { start: found.index, end: found.index + found[0].length };
}

interface Header {
  readonly host?: string | undefined;
  readonly app?: string | undefined;
  readonly attributes: Record<string, string>;
}

/** `<PRI>1 TS HOST APP PID MSGID `; a field may be empty, between two blanks, or `-`. */
function readHeader(text: string): Header {
  const [, priority, rest = ""] = header.exec(text) ?? [];
  if (priority === undefined) return { attributes: {} };
  const [, host, app, pid] = rest.split(" ", 5).map((field) => (field === "-" ? "" : field));
  const code = Number(priority);
  const attributes: Record<string, string> = {};
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") attributes[`syslog.${name}`] = value;
  };
  put("host", host);
  put("appName", app);
  put("severity", severities[code & 7]);
  put("facility", facilities[code >> 3]);
  put("priority", priority);
  put("pid", pid);
  return {
    host: host === "" ? undefined : host,
    app: app === "" ? undefined : app,
    attributes,
  };
}

/** After other elements, one blank and a byte order mark. */
function messageStart(line: Buffer, from: number): number {
  let position = from;
  const others =
    line[position] === 0x5b
      ? /^(?:\[(?:[^\]"\\]|\\.|"(?:\\.|[^"\\])*")*\])+(?= |$)/.exec(
          line.toString("latin1", position, position + MAX_HEAD_BYTES),
        )
      : null;
  position += others?.[0].length ?? 0;
  if (line[position] === 0x20) position++;
  const hasMark =
    line[position] === 0xef && line[position + 1] === 0xbb && line[position + 2] === 0xbf;
  return hasMark ? position + 3 : position;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
