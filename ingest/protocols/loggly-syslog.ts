// Loggly's syslog: RFC 5424 messages whose structured data holds the customer token and the tags.
import { parseTimestamp } from "../../schemas/time.ts";
import type { IncomingEvent } from "./door.ts";
import type { LineProtocol } from "./line-protocol.ts";
import { jsonFacts, logglyContext, readTags } from "./loggly-event.ts";

/** `[TOKEN@41058 tag="a" tag="b"]`: found by itself, as a header with empty fields defeats splitting at blanks. */
const element =
  /\[([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})@41058((?: +[^\s="\]]+="(?:\\.|[^"\\])*")*) *\]/i;
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

/** Undefined when there is no token. */
export function readSyslog(line: Buffer): { token: string; event: IncomingEvent } | undefined {
  const head = line.toString("latin1", 0, MAX_HEAD_BYTES);
  const found = element.exec(head);
  if (found === null) return undefined;
  const [text, token = "", parameters = ""] = found;
  const { host, app, attributes, time } = readHeader(utf8(head.slice(0, found.index)));
  const tags = [...parameters.matchAll(parameter)]
    .filter(([, name]) => name === "tag")
    .map(([, , value = ""]) => utf8(value.replace(/\\(["\\\]])/g, "$1")));
  const message = line.subarray(messageStart(line, found.index + text.length));
  const context = logglyContext(readTags(tags), attributes);
  const facts = jsonFacts(message);
  return {
    token,
    event: {
      time: facts.time ?? time,
      prefix0: host ?? facts.host,
      prefix1: app ?? context.app,
      prefix2: context.tagsLabel,
      prefix3: "loggly",
      message,
      attributes: context.attributes,
    },
  };
}

interface Header {
  readonly host?: string | undefined;
  readonly app?: string | undefined;
  readonly time?: bigint | undefined;
  readonly attributes: Record<string, string>;
}

/** `<PRI>1 TS HOST APP PID MSGID `; a field may be empty, between two blanks, or `-`. */
function readHeader(text: string): Header {
  const [, priority, rest = ""] = header.exec(text) ?? [];
  if (priority === undefined) return { attributes: {} };
  const [timestamp, host, app, pid] = rest
    .split(" ", 5)
    .map((field) => (field === "-" ? "" : field));
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
  put("timestamp", timestamp);
  return {
    host: host === "" ? undefined : host,
    app: app === "" ? undefined : app,
    time: parseTimestamp(timestamp ?? ""),
    attributes,
  };
}

/** After other elements, one blank and a byte order mark. */
function messageStart(line: Buffer, from: number): number {
  let position = from;
  const others = /^(?:\[(?:[^\]"\\]|\\.|"(?:\\.|[^"\\])*")*\])+(?= |$)/.exec(
    line.toString("latin1", position, position + MAX_HEAD_BYTES),
  );
  position += others?.[0].length ?? 0;
  if (line[position] === 0x20) position++;
  const hasMark =
    line[position] === 0xef && line[position + 1] === 0xbb && line[position + 2] === 0xbf;
  return hasMark ? position + 3 : position;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}
