// Loggly over HTTP: paths, tags, times and hosts, as its clients send them.
import { describe, expect, test } from "vitest";
import { LogboomError } from "../../../schemas/errors.ts";
import {
  logglyBulkDoor as bulk,
  logglyInputsDoor as inputs,
  logglyPixelDoor as pixel,
} from "../../../ingest/protocols/loggly.ts";
import { eventsOf, requestOf, uuid } from "./door-fixture.ts";

const doorOf = (path: string) =>
  [pixel, inputs, bulk].find(({ pattern }) => pattern.test(path))?.path;

describe("a path", () => {
  test.each([
    [`/inputs/${uuid}`, inputs.path],
    [`/inputs/${uuid}/`, inputs.path],
    [`/inputs/${uuid}/tag/logback`, inputs.path],
    [`/inputs/${uuid}/tag/python,conf/`, inputs.path],
    [`/loggly/inputs/${uuid}/tag/web`, inputs.path],
    [`/bulk/${uuid}`, bulk.path],
    [`/bulk/${uuid}/tag/a,b%20c`, bulk.path],
    [`/bulk/${uuid}/tag/a/`, bulk.path],
    [`/inputs/${uuid}.gif`, pixel.path],
    [`/inputs/${uuid}/tag/a/.gif`, pixel.path],
    [`/inputs/${uuid}/tag/a/1*1.gif`, pixel.path],
    [`/bulk/${uuid}/tag/a/1*1.gif`, pixel.path],
    [`/bulk/${uuid}.gif`, pixel.path],
    ["/inputs/", undefined],
    [`/other/${uuid}`, undefined],
    [`/inputs/${uuid}/tag`, undefined],
  ])("%s is of %s", (path, door) => {
    expect(doorOf(path)).toBe(door);
    if (door !== undefined) expect(inputs.secret(requestOf(path))).toBe(uuid);
  });
});

/** The labels and tags of an event that was sent to a path. */
function tagsOf(target: string, header?: string) {
  const headers = header === undefined ? {} : { "x-loggly-tag": header };
  const [event] = eventsOf(inputs.read(requestOf(target, { headers }), Buffer.from("x")));
  const attributes = event?.["attributes"] as Record<string, string>;
  return [event?.["prefix1"], event?.["prefix2"], attributes["tags"]];
}

describe("tags", () => {
  test.each([
    [`/inputs/${uuid}`, undefined, [undefined, undefined, undefined]],
    [`/inputs/${uuid}/tag/python,conf/`, undefined, ["python", "conf,python", "python,conf"]],
    // go-loggly 0.5 and node-loggly-bulk 4.0 send a header.
    [`/bulk/${uuid}`, "go,conf", ["go", "conf,go", "go,conf"]],
    [`/inputs/${uuid}/tag/b`, "a, b ,c", ["b", "a,b,c", "b,a,c"]],
    [
      `/inputs/${uuid}/tag/p-24170,t-140636538067840`,
      undefined,
      ["p-24170", "p-24170,t-140636538067840", "p-24170,t-140636538067840"],
    ],
    // Invalid ones are dropped, and their event kept.
    [`/inputs/${uuid}/tag/b%20c,-x,,a.b_c-d,%C3%A9`, undefined, ["a.b_c-d", "a.b_c-d", "a.b_c-d"]],
    [
      `/inputs/${uuid}/tag/${"t".repeat(64)},${"t".repeat(65)}`,
      undefined,
      ["t".repeat(64), "t".repeat(64), "t".repeat(64)],
    ],
    [`/inputs/${uuid}/tag/a%2Cb`, undefined, ["a", "a,b", "a,b"]],
    [`/inputs/${uuid}/tag/%zz`, undefined, [undefined, undefined, undefined]],
  ])("of %s with the header %j are %j", (target, header, expected) => {
    expect(tagsOf(target, header)).toEqual(expected);
  });

  test("that have no room in a label are whole in it, as many as fit; all are an attribute", () => {
    const tags = Array.from({ length: 20 }, (_, index) => `tag-${index}-${"x".repeat(10)}`);
    const [, label, all] = tagsOf(`/inputs/${uuid}/tag/${tags.join(",")}`);
    expect(all).toBe(tags.join(","));
    const kept = (label as string).split(",");
    expect(kept).toEqual(tags.toSorted().slice(0, kept.length));
    expect(kept.length).toBeGreaterThan(10);
  });

  test("of an empty header are refused", () => {
    const request = requestOf(`/inputs/${uuid}`, { headers: { "x-loggly-tag": "" } });
    expect(() => inputs.read(request, Buffer.from("x"))).toThrow('"X-LOGGLY-TAG" is empty');
  });
});

describe("an event", () => {
  const read = (body: string, headers = {}) =>
    eventsOf(inputs.read(requestOf(`/inputs/${uuid}/tag/t`, { headers }), Buffer.from(body)));

  test("is the whole body, with the client's address and type", () => {
    expect(read("first\nsecond\n", { "content-type": "text/plain" })).toEqual([
      {
        message: "first\nsecond",
        prefix1: "t",
        prefix2: "t",
        prefix3: "loggly",
        attributes: {
          tags: "t",
          "http.clientHost": "192.0.2.7",
          "http.contentType": "text/plain",
        },
      },
    ]);
  });

  test("keeps JSON as it was sent, whatever its type says", () => {
    const body = '{ "message": "cap-2",  "n": 2 }';
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect(read(body, headers)).toMatchObject([{ message: body }]);
  });

  test.each([
    ['{"timestamp":"2026-11-21T04:47:34.5Z"}', 1_795_236_454_500_000_000n, undefined],
    // go-loggly 0.5 sends ms.
    [
      '{"hostname":"vm","timestamp":1795236450458,"type":"cap-1"}',
      1_795_236_450_458_000_000n,
      "vm",
    ],
    ['{"timestamp":1795236450458.75}', 1_795_236_450_458_750_000n, undefined],
    ['{"host":"h","hostname":""}', undefined, "h"],
    ['{"hostname":"a","host":"b"}', undefined, "a"],
    ['{"host":5,"timestamp":true}', undefined, undefined],
    ['{"timestamp":-1}', undefined, undefined],
    ['{"timestamp":"yesterday"}', undefined, undefined],
    // Times that cannot be stored cost the event its time, not the agent its batch.
    ['{"timestamp":"1969-12-31T23:59:59Z"}', undefined, undefined],
    ['{"timestamp":"2254-07-22T01:34:33Z"}', undefined, undefined],
    ['{"timestamp":9007199254740991}', undefined, undefined],
    ['\t {"host":"h"}', undefined, "h"],
    ['{"nested":{"host":"h","timestamp":1}}', undefined, undefined],
    ['{"host":"h"', undefined, undefined],
    ['[{"host":"h"}]', undefined, undefined],
    ["plain", undefined, undefined],
  ])("%s has the time %s and the host %s", (body, time, host) => {
    const [event] = read(body);
    expect([event?.["time"], event?.["prefix0"]]).toEqual([time, host]);
  });

  test("of an empty body is none", () => {
    expect(read("")).toEqual([]);
    expect(read("\n")).toEqual([]);
  });
});

test("a bulk body has an event a line, and empty lines are none", () => {
  const body = '{"message":"cap-3"}\r\n\n{"message":"cap-4"}\nplain\n';
  const events = eventsOf(bulk.read(requestOf(`/bulk/${uuid}`), Buffer.from(body)));
  expect(events.map(({ message }) => message)).toEqual([
    '{"message":"cap-3"}',
    '{"message":"cap-4"}',
    "plain",
  ]);
  expect(eventsOf(bulk.read(requestOf(`/bulk/${uuid}`), Buffer.alloc(0)))).toEqual([]);
});

test("a JSON array in bulk is one event: the form is lines", () => {
  const events = eventsOf(bulk.read(requestOf(`/bulk/${uuid}`), Buffer.from('["a","b"]')));
  expect(events.map(({ message }) => message)).toEqual(['["a","b"]']);
});

describe("a pixel", () => {
  const read = (query: string) =>
    eventsOf(pixel.read(requestOf(`/inputs/${uuid}.gif${query}`, { method: "GET" })));

  test.each([
    ["?PLAINTEXT=a%20b%26c&DT=5", ["a b&c"]],
    ["?PLAINTEXT=%7B%22host%22%3A%22h%22%7D", ['{"host":"h"}']],
    ["?DT=5&level=info&n=1", ['{"level":"info","n":"1"}']],
    ["?DT=5", []],
    ["", []],
  ])("%s is %j", (query, messages) => {
    expect(read(query).map(({ message }) => message)).toEqual(messages);
  });

  test("is answered with an image", () => {
    const { status, contentType, body } = pixel.accepted();
    expect([status, contentType]).toEqual([200, "image/gif"]);
    expect((body as Buffer).toString("latin1", 0, 6)).toBe("GIF89a");
  });
});

describe("replies", () => {
  test("success is exactly 200 and JSON", () => {
    expect(inputs.accepted()).toEqual({ status: 200, body: { response: "ok" } });
  });

  test.each([
    ["BAD_TOKEN", 403],
    ["NO_PERMISSION", 403],
    ["BAD_REQUEST", 400],
    ["TOO_LARGE", 413],
    ["METHOD_NOT_ALLOWED", 405],
    ["OVERLOADED", 503],
  ] as const)("%s is %d", (code, status) => {
    expect(inputs.refused(new LogboomError(code, "why"))).toEqual({
      status,
      body: { response: "why" },
    });
  });
});
