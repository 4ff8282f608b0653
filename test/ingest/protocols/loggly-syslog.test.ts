// Loggly's syslog: the token and tags in structured data, and headers that are not what the RFC says.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logglySyslog, readSyslog, type Sender } from "../../../ingest/protocols/loggly-syslog.ts";
import { SyslogSenders } from "../../../ingest/protocols/syslog-senders.ts";
import { parseTimestamp } from "../../../schemas/time.ts";
import { plain, principalOf, takeLines, uuid } from "./door-fixture.ts";

const time = "2026-11-21T04:47:34.5Z";
const element = `[${uuid}@41058 tag="a" tag="b.c"]`;

function read(line: string | Buffer): Record<string, unknown> | undefined {
  const result = readSyslog(Buffer.from(line));
  return result === undefined ? undefined : { token: result.token, ...plain(result.event) };
}

test("a message has its header's parts as attributes, and labels from host, app and tags", () => {
  expect(read(`<14>1 ${time} web-1 nginx 42 ID7 ${element} hello  world`)).toEqual({
    token: uuid,
    message: "hello  world",
    time: parseTimestamp(time),
    prefix0: "web-1",
    prefix1: "nginx",
    prefix2: "a,b.c",
    prefix3: "loggly",
    attributes: {
      tags: "a,b.c",
      "syslog.host": "web-1",
      "syslog.appName": "nginx",
      "syslog.severity": "Informational",
      "syslog.facility": "user-level messages",
      "syslog.priority": "14",
      "syslog.pid": "42",
      "syslog.timestamp": time,
    },
  });
});

describe("a header", () => {
  test.each([
    ["with nothing but dashes", "<14>1 - - - - - ", [undefined, "a", undefined]],
    // A daemon that knows no program leaves the fields out and the blanks in.
    ["with empty fields", `<14>1 ${time} h    `, ["h", "a", undefined]],
    ["with an empty app alone", `<14>1 ${time} h  42 - `, ["h", "a", "42"]],
    ["without a version", `<14>${time} h app 1 - `, ["h", "app", "1"]],
    ["that is none", "", [undefined, "a", undefined]],
    ["of UTF-8", `<14>1 ${time} хост app - - `, ["хост", "app", undefined]],
  ])("%s", (_, header, expected) => {
    const event = read(`${header}${element} m`);
    const attributes = event?.["attributes"] as Record<string, string>;
    expect([event?.["prefix0"], event?.["prefix1"], attributes["syslog.pid"]]).toEqual(expected);
    expect(event?.["message"]).toBe("m");
  });

  test.each([
    ["0", "Emergency", "kernel messages"],
    ["191", "Debug", "local use 7"],
    ["165", "Notice", "local use 4"],
  ])("of priority %s is %s of %s", (priority, severity, facility) => {
    const event = read(`<${priority}>1 - h a - - ${element} m`);
    expect(event?.["attributes"]).toMatchObject({
      "syslog.severity": severity,
      "syslog.facility": facility,
    });
  });
});

describe("structured data", () => {
  test.each([
    [`[${uuid}@41058] m`, "m", undefined],
    [`[${uuid}@41058 tag="a"]`, "", "a"],
    [`[timeQuality tz="1"]${element} m`, "m", "a,b.c"],
    [`${element}[x@1 k="] y"] m`, "m", "a,b.c"],
    // A bracket of the message is no element: a blank parts them.
    [`${element} [m]`, "[m]", "a,b.c"],
    [`[${uuid}@41058 tag="a" x="b" tag="c"] m`, "m", "a,c"],
    [`[${uuid}@41058 tag="a\\"b" tag="c"] m`, "m", "c"],
    [`${element} \uFEFFm`, "m", "a,b.c"],
  ])("%s", (rest, message, tags) => {
    const event = read(`<14>1 - h app - - ${rest}`);
    expect([event?.["message"], event?.["prefix2"]]).toEqual([message, tags]);
  });

  test.each(["<14>1 - h a - - - m", "plain", "", `[${uuid}@1] m`, "[x@41058] m", `[${uuid}@41058`])(
    "without a token: %j",
    (line) => {
      expect(read(line)).toBeUndefined();
    },
  );
});

test("a JSON message gives its own time and, where the header has none, its host", () => {
  const json = '{"timestamp":"2026-01-01T00:00:00Z","hostname":"inner"}';
  expect(read(`<14>1 ${time} - app - - ${element} ${json}`)).toMatchObject({
    message: json,
    time: parseTimestamp("2026-01-01T00:00:00Z"),
    prefix0: "inner",
  });
});

test("lines of unknown keys and without any are dropped, each with its reason", () => {
  const keys = { [uuid]: principalOf({ tokenId: "one" }) };
  const other = uuid.replaceAll("1", "9");
  const lines = [`<14>1 - h a - - ${element} m`, `<14>1 - h a - - [${other}@41058] m`, "x", ""];
  expect(takeLines(logglySyslog, keys, lines)).toMatchObject([
    { key: "one", message: "m" },
    "unknown-key",
    "malformed",
  ]);
});

test("any bytes are read or not, and never a fault", () => {
  const parts = fc.constantFrom(
    "<14>1 ",
    element,
    "[",
    "]",
    '"',
    "\\",
    " ",
    "tag=",
    uuid,
    "@41058",
  );
  const texts = fc.array(fc.oneof(parts, fc.string({ unit: "binary" })), { maxLength: 20 });
  fc.assert(
    fc.property(texts, fc.uint8Array({ maxLength: 40 }), (text, bytes) => {
      const line = Buffer.concat([Buffer.from(text.join("")), bytes]);
      const result = readSyslog(line);
      // The token is a secret: no part of what is stored holds it, unless the message repeats it.
      if (result !== undefined) expect(result.token).toBe(uuid);
    }),
    { numRuns: 2000 },
  );
});

test("a line of a sender that is known is read as one of a sender that is not", () => {
  const starts = fc.constantFrom("<14>1 ", "<14> ", "<14>", "x ", "[x] ", `${element} `, " ", "");
  const times = fc.constantFrom(time, "2026-11-21T04:47:35Z", "-", "", "1", "[", element, "a b");
  const rests = fc.array(
    fc.constantFrom(" h", " app", " -", " ", element, "[x@1 ", "]", '"', 'k="v]"', "@41058", "{"),
    { maxLength: 8 },
  );
  const line = fc.tuple(
    starts,
    times,
    rests.map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(line, times, fc.boolean(), ([start, first, rest], second, isWhole) => {
      const end = isWhole ? `${rest} ${element} {"host":"inner"}` : rest;
      const memory = new SyslogSenders<Sender>();
      readSyslog(Buffer.from(`${start}${first}${end}`), memory);
      const next = Buffer.from(`${start}${second}${end}`);
      const known = readSyslog(next, memory);
      const unknown = readSyslog(next, new SyslogSenders<Sender>());
      expect(known?.token).toBe(unknown?.token);
      expect(known && plain(known.event)).toEqual(unknown && plain(unknown.event));
    }),
    { numRuns: 3000 },
  );
});

test("more senders than are remembered are read as before", () => {
  const memory = new SyslogSenders<Sender>();
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 10_100; number++) {
      const result = readSyslog(Buffer.from(`<14>1 - host-${number} a - - ${element} m`), memory);
      expect(result && plain(result.event)["prefix0"]).toBe(`host-${number}`);
    }
  }
});
