// Random bodies at the vendors' doors: each is stored or refused, a refusal stores nothing, and none is a failure of
// the service.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keys, openEdge, type Edge } from "./edge-fixture.ts";

let edge: Edge;

beforeAll(async () => {
  edge = await openEdge();
});

afterAll(() => edge[Symbol.asyncDispose]());

/** A JSON text: of usual values, odd ones, and such as a parser may trip over. */
const value = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    "null",
    "true",
    "-0",
    "1e400",
    "123456789012345678901234567890",
    "-1795236450458000000",
    '"1795236450458000000"',
    '"99999999999999999999999"',
    '"\\ud800"',
    '"\\u0000"',
    '""',
    "[]",
    "{}",
    '{"__proto__":{"a":1}}',
    '{"constructor":"x","toString":5}',
    "[".repeat(120) + "]".repeat(120),
    '"2026-02-30T00:00:00Z"',
    '"0000-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59Z"',
  ),
);
const object = (names: readonly string[]) =>
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 8 })), value), {
      maxLength: 6,
    })
    .map(
      (pairs) => `{${pairs.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`,
    );
const many = (one: fc.Arbitrary<string>) =>
  fc.array(one, { maxLength: 4 }).map((all) => `[${all.join(",")}]`);

const logtraceEvent = object(["message", "level", "service", "timestamp", "environment", "a.b"]);
const scalyrEvent = fc
  .tuple(
    object(["message", "logfile", "parser", "serverHost", "a"]),
    object(["thread", "log", "ts", "sev", "type", "si", "sn", "sd", "startTS"]),
  )
  .map(([attrs, rest]) => `${rest.slice(0, -1)}${rest === "{}" ? "" : ","}"attrs":${attrs}}`);
const scalyrBody = fc
  .tuple(
    fc.oneof(many(scalyrEvent), value),
    many(object(["id", "name", "attrs"])),
    object(["serverHost", "logfile", "tier"]),
    fc.oneof(value, fc.constantFrom('"s-1"', '"s-2"')),
  )
  .map(
    ([events, logs, info, session]) =>
      `{"token":"${keys.scalyr}","session":${session},"sessionInfo":${info},"events":${events},"logs":${logs},"threads":${logs}}`,
  );
/** As the agent writes: keys without quotes, comments, texts with a length in front that may be wrong. */
const relaxed = (body: string, length: number): string =>
  body
    .replaceAll(/"(\w+)":/g, "$1: /* c */ ")
    .replace('"a"', `\`s${Buffer.from([0, 0, 0, length]).toString("latin1")}abc`);

const request = fc.oneof(
  fc.record({
    path: fc.constant("/v1/logs/ingest"),
    body: fc.oneof(
      many(logtraceEvent).map((logs) => `{"logs":${logs}}`),
      value,
    ),
  }),
  fc.record({
    path: fc.constantFrom("/addEvents", "/api/addEvents"),
    body: fc.oneof(
      scalyrBody,
      fc.tuple(scalyrBody, fc.nat(6)).map(([body, length]) => relaxed(body, length)),
    ),
  }),
  fc.record({
    path: fc.constantFrom(
      `/inputs/${keys.loggly}/tag/a,%ff,b%20c`,
      `/bulk/${keys.loggly}`,
      `/bulk/${keys.loggly}/tag/${"t,".repeat(300)}`,
      `/v1/logs/${keys.logentries}`,
      `/api/uploadLogs?token=${keys.scalyr}&host=%00&server-a=%ff&logfile=`,
    ),
    body: fc
      .array(fc.oneof(object(["timestamp", "host", "hostname"]), fc.string({ unit: "binary" })), {
        maxLength: 4,
      })
      .map((lines) => lines.join("\r\n")),
  }),
);
/** A byte that is another one, at a share of the length. */
const damage = fc.option(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), {
  freq: 3,
});

test("each is stored or refused in the vendor's words", async () => {
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(request, damage, async ({ path, body }, at) => {
      const bytes = Buffer.from(body, "utf8");
      if (at !== null && bytes.length > 0) {
        bytes[Math.min(bytes.length - 1, Math.floor(at[0] * bytes.length))] = at[1];
      }
      const before = await accepted();
      const response = await fetch(edge.url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${keys.logtrace}` },
        body: bytes,
        signal: AbortSignal.timeout(20_000),
      });
      const text = await response.text();
      expect(response.status, text).toBeLessThan(500);
      if (response.status < 300) return;
      refusals++;
      expect(await accepted()).toBe(before);
      expect(JSON.parse(text)).toBeTypeOf("object");
      expect(text).not.toContain(keys.scalyr);
    }),
    { numRuns: 600 },
  );
  expect(refusals).toBeGreaterThan(0);
  expect((await edge.stored()).length).toBe(await accepted());
});

/** Events that were acknowledged, by any door. */
async function accepted(): Promise<number> {
  const { values } = await edge.instruments.logboom_ingest_events_total.get();
  return values.reduce((sum, { value: count }) => sum + count, 0);
}
