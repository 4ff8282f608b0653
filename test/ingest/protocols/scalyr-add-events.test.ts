// Scalyr's addEvents: bodies as the agent, the Java and the Go client write them, and what becomes of events.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scalyrAddEventsDoor as door } from "../../../ingest/protocols/scalyr-add-events.ts";
import type { IncomingEvents } from "../../../ingest/protocols/door.ts";
import { eventsOf, requestOf, uuid } from "./door-fixture.ts";

const text = (content: string) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(content));
  return `\`s${length.toString("latin1")}${content}`;
};

/** Written as scalyr-agent-2 2.2 writes it. */
const agentBody = Buffer.from(
  `{"token": "${uuid}", "session": "s-1", "threads": [], "sessionInfo": {"serverHost": "web-1", "tier": "prod"}, events: [` +
    `{thread:"log_1", log:"log_1", attrs:{"parser": "json", "app": "conf", "logfile": "/a.log",message:${text('{"n":1}\n')}},ts:"1795264536424059648",si:"seq",sn:30},` +
    `{thread:"log_1", log:"log_1", attrs:{"parser": "json", "app": "conf", "logfile": "/a.log",message:${text("two\n")}},sd:30,ts:"1795264536424166144"}` +
    `], logs: [{"id": "log_1", "attrs": {"parser": "json", "app": "conf", "logfile": "/a.log"}}], threads: [{"id": "log_1", "name": "Lines for file /a.log"}], client_time: 1795264536 }`,
  "latin1",
);

function readAll(body: Buffer | object | string): IncomingEvents {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return door.read(requestOf("/addEvents"), bytes);
}

const read = (body: Buffer | object | string) => eventsOf(readAll(body));

test.each([
  ["/addEvents", true],
  ["/api/addEvents", true],
  ["/api/addEvents/", true],
  ["/api/addEventsX", false],
])("%s is its path: %s", (path, isIts) => {
  expect(door.pattern.test(path)).toBe(isIts);
});

test("the agent's body is read with its labels, attributes and places", () => {
  const shared = {
    prefix0: "web-1",
    prefix1: "/a.log",
    prefix2: "json",
    prefix3: "scalyr",
    attributes: {
      $tier: "prod",
      session: "s-1",
      app: "conf",
      thread: "log_1",
      threadName: "Lines for file /a.log",
      severity: "3",
    },
  };
  expect(readAll(agentBody).session).toBe("s-1");
  expect(read(agentBody)).toEqual([
    {
      ...shared,
      message: '{"n":1}',
      time: 1_795_264_536_424_059_648n,
      sequence: { id: "seq", number: 30 },
    },
    {
      ...shared,
      message: "two",
      time: 1_795_264_536_424_166_144n,
      sequence: { id: "seq", number: 60 },
    },
  ]);
});

test("dataset-go's body gives the log's attributes to events, which may overrule them", () => {
  const body = {
    token: uuid,
    session: "s",
    sessionInfo: { serverHost: "vm", grp: "1", parser: "p" },
    events: [
      { thread: "T1", sev: 4, ts: "1795264540973273984", log: "L1", attrs: { message: "a", n: 2 } },
      { log: "L1", attrs: { message: "b", logfile: "other", serverHost: "h", zone: "x" }, ts: 5 },
      { log: "L9", attrs: { message: "c" } },
    ],
    threads: [{ id: "T1", name: "thread one" }],
    logs: [{ id: "L1", attrs: { logfile: "/var/log/conf", zone: "z" } }],
  };
  expect(read(body)).toEqual([
    {
      message: "a",
      time: 1_795_264_540_973_273_984n,
      prefix0: "vm",
      prefix1: "/var/log/conf",
      prefix2: "p",
      prefix3: "scalyr",
      attributes: {
        $grp: "1",
        session: "s",
        zone: "z",
        n: "2",
        thread: "T1",
        threadName: "thread one",
        severity: "4",
      },
    },
    expect.objectContaining({
      message: "b",
      time: 5n,
      prefix0: "h",
      prefix1: "other",
      attributes: { $grp: "1", session: "s", zone: "x", severity: "3" },
    }),
    {
      message: "c",
      prefix0: "vm",
      prefix2: "p",
      prefix3: "scalyr",
      attributes: { $grp: "1", session: "s", severity: "3" },
    },
  ]);
});

describe("a time", () => {
  test.each([
    ['"1795264540973273984"', 1_795_264_540_973_273_984n],
    ["1795264540973273984", 1_795_264_540_973_273_984n],
    ["5", 5n],
    ["null", undefined],
    ['"soon"', undefined],
    ['""', undefined],
    ["{}", undefined],
  ])("of %s is %s", (ts, time) => {
    expect(read(`{"events":[{"ts":${ts},"attrs":{"message":"m"}}]}`)[0]?.["time"]).toBe(time);
  });
});

describe("a message", () => {
  test.each<[unknown, string]>([
    ["m\n", "m"],
    ["m\n\n", "m\n"],
    [5, "5"],
    [{ a: 1 }, '{"a":1}'],
    [null, "null"],
  ])("of %j is %j", (message, expected) => {
    expect(read({ events: [{ attrs: { message } }] })[0]?.["message"]).toBe(expected);
  });

  test("may be absent", () => {
    expect(read({ events: [{ attrs: { a: [1, "x"] } }, {}] })).toMatchObject([
      { message: "", attributes: { a: '[1,"x"]', severity: "3" } },
      { message: "" },
    ]);
  });

  test("with a length in front keeps bytes that are no UTF-8", () => {
    const body = Buffer.from("{events:[{attrs:{message:`s\0\0\0\u0002\xff\n}}]}", "latin1");
    const [event] = readAll(body).events;
    expect(event?.message).toEqual(Buffer.from([0xff]));
  });
});

describe("places", () => {
  const placesOf = (events: object[], session: string | null = "s") =>
    read({ session, events }).map(({ sequence }) => sequence);

  test("go on from event to event until another sequence begins", () => {
    expect(
      placesOf([
        { sd: 1 },
        { si: "a", sn: 5 },
        { sd: 2 },
        { sn: 20 },
        { si: "b", sn: 1 },
        { sd: 1 },
        {},
      ]),
    ).toEqual([
      undefined,
      { id: "a", number: 5 },
      { id: "a", number: 7 },
      { id: "a", number: 20 },
      { id: "b", number: 1 },
      { id: "b", number: 2 },
      undefined,
    ]);
  });

  test("are exact whatever their size, and none when they are no whole numbers", () => {
    expect(
      placesOf([
        { si: "a", sn: "999999999999999999" },
        { sd: 1 },
        { si: "b", sn: -1 },
        { si: "c", sn: 1.5 },
        { si: "d", sn: "12" },
      ]),
    ).toEqual([
      { id: "a", number: 999_999_999_999_999_999n },
      { id: "a", number: 1_000_000_000_000_000_000n },
      undefined,
      undefined,
      { id: "d", number: 12 },
    ]);
  });

  test("need a session", () => {
    expect(placesOf([{ si: "a", sn: 1 }], null)).toEqual([undefined]);
  });
});

test("events that are none are left out, and the reply says so", () => {
  const incoming = readAll({ events: [{ attrs: { message: "m" } }, 5, null, []] });
  expect(eventsOf(incoming)).toHaveLength(1);
  expect(incoming.omitted?.()).toEqual({ count: 3, reason: "events[1] is not an object" });
  const outcome = { accepted: 1, invalidUtf8: 0, isDuplicate: false, bodyBytes: 70, mended: 2 };
  expect(door.accepted({ ...outcome, omitted: { count: 3, reason: "events[1] is …" } })).toEqual({
    status: 200,
    body: {
      status: "success",
      bytesCharged: 70,
      message:
        "3 events were not stored; the first: events[1] is …; 2 events were cut to the limits",
    },
  });
});

test.each([[{}], [{ events: [] }], [{ events: null }]])("%j is a ping: no events", (body) => {
  expect(read(body)).toEqual([]);
  expect(door.accepted({ accepted: 0, invalidUtf8: 0, isDuplicate: false, bodyBytes: 2 })).toEqual({
    status: 200,
    body: { status: "success", bytesCharged: 2 },
  });
});

test.each([
  ["[]", 'unexpected value in "body"'],
  ["5", 'unexpected value in "body"'],
  ['{"events":{}}', 'unexpected value in "events"'],
  ["{events:[", "invalid JSON at offset 9"],
  ["", "invalid JSON at offset 0"],
])("%s is refused", (body, message) => {
  expect(() => read(body)).toThrow(message);
});

describe("the token", () => {
  test.each([
    [{ token: uuid }, uuid],
    [{ token: "" }, undefined],
    [{ token: null }, undefined],
    [{}, undefined],
  ])("in the body %j is %j", (body, secret) => {
    expect(door.secretInBody(Buffer.from(JSON.stringify(body)))).toBe(secret);
  });

  test.each([
    ["/addEvents?token=abc", {}, "abc"],
    ["/addEvents", { authorization: "Bearer abc" }, "abc"],
    ["/addEvents", {}, undefined],
  ])("of %s with %j is %j", (target, headers, secret) => {
    expect(door.secret(requestOf(target, { headers }))).toBe(secret);
  });
});

test("events of a log that are alike are read as each by itself", () => {
  const value = fc.constantFrom<unknown>("a", "b", 1, 1.5, null, true, [1], { a: 1 });
  const name = fc.constantFrom("a", "b", "message", "logfile", "parser", "serverHost", "toString");
  const event = fc.record(
    {
      thread: fc.constantFrom<unknown>("T1", "T2", 3, null),
      sev: fc.constantFrom<unknown>(3, "3", null),
      type: fc.constantFrom<unknown>(0, 1),
      startTS: fc.constantFrom<unknown>("5", null),
      log: fc.constantFrom("L1", "L2"),
      attrs: fc.dictionary(name, value, { maxKeys: 4 }),
    },
    { requiredKeys: [] },
  );
  // Often the same one some times in a row.
  const runs = fc.array(fc.tuple(event, fc.integer({ min: 1, max: 3 })), { maxLength: 6 });
  const rest = {
    sessionInfo: { serverHost: "h", tier: "t" },
    threads: [{ id: "T1", name: "main" }],
    logs: [{ id: "L1", attrs: { logfile: "/l1", a: "log" } }],
  };
  fc.assert(
    fc.property(runs, (given) => {
      const events = given.flatMap(([one, times]) => Array.from({ length: times }, () => one));
      const alone = events.flatMap((one) => read({ ...rest, events: [one] }));
      expect(read({ ...rest, events })).toEqual(alone);
    }),
    { numRuns: 1000 },
  );
});

test("JSON in which something looks like a length is read as JSON", () => {
  const message = "a:`s\u0000\u0000\u0000\u0001b";
  const deep = `${"[".repeat(200)}1${"]".repeat(200)}`;
  const body = `{"events":[{"attrs":{"message":${JSON.stringify(message)},"deep":${deep}}}]}`;
  expect(read(body)).toMatchObject([{ message, attributes: { deep } }]);
});
