// Bad requests to the native ingest: each gets a clear error in our shape, and nothing of it is stored.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { errorCatalogue } from "../../schemas/errors.ts";
import {
  countEvents,
  ingest,
  postIngest,
  toNdjson,
  waitForCount,
  type IngestOptions,
} from "../support/api.ts";
import { createBombs, manyEntries, truncatedGzip } from "../support/bodies.ts";
import { openRequest, readReply } from "../support/raw-http.ts";
import { startService, type Service } from "../support/service.ts";
import { createToken } from "../support/tokens.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const mebibyte = 1024 * 1024;
const json = "application/json";
const text = "text/plain";

let service: Service;
let scopedToken = "";
/** All that the service said to have accepted: in the end exactly this is stored. */
let accepted = 0;

beforeAll(async () => {
  service = await startService({
    env: {
      LOGBOOM_MAX_BODY_BYTES: String(2 * mebibyte),
      LOGBOOM_MAX_DECODED_BODY_BYTES: String(8 * mebibyte),
      LOGBOOM_BODY_TIMEOUT_MS: "1000",
    },
  });
  scopedToken = (await createToken(service, "write", ["ci-"])).secret;
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

interface ErrorReply {
  readonly error: string;
  readonly errorCode: keyof typeof errorCatalogue;
  readonly details: Record<string, unknown>;
}

/** Checks the shape of an error reply and returns it. */
function readError(status: number, body: string): ErrorReply {
  const reply = JSON.parse(body) as ErrorReply;
  expect(reply.error).toMatch(/^[^A-Z].*[^.]$/s);
  expect(reply.details).toBeTypeOf("object");
  expect(errorCatalogue[reply.errorCode].status).toBe(status);
  return reply;
}

async function expectRefusal(
  response: Response,
  status: number,
  mentions: readonly string[] = [],
): Promise<ErrorReply> {
  const body = await response.text();
  expect([response.status, body.slice(0, 500)]).toEqual([status, expect.any(String)]);
  expect(response.headers.get("content-type")).toContain(json);
  const reply = readError(status, body);
  for (const mention of mentions) expect(body).toContain(mention);
  return reply;
}

const event = (fields: object): string => JSON.stringify({ message: "forbidden", ...fields });

/** What is wrong, the body, how it is sent, the status, and what the reply mentions. */
type Row = readonly [string, string | Uint8Array<ArrayBuffer>, IngestOptions, number, string[]];

const good = event({});
const authorization = (value: string): IngestOptions => ({ headers: { authorization: value } });

const rows: readonly Row[] = [
  ["an unknown content type", good, { contentType: "application/xml" }, 415, ["application/xml"]],
  ["an unknown encoding", good, { headers: { "content-encoding": "compress" } }, 415, ["compress"]],
  // A name that every JavaScript object has.
  [
    "an encoding named constructor",
    good,
    { headers: { "content-encoding": "constructor" } },
    415,
    ["constructor"],
  ],
  ["an empty token", good, authorization(""), 401, []],
  ["a wrong token", good, authorization("Token not-a-token-of-this-service"), 401, []],
  ["another scheme", good, authorization("Basic YTpi"), 401, []],
  ["another customer in the query", good, { query: { customer: "other" } }, 403, ["other"]],
  [
    "another customer in the body",
    `{"customer":"other","events":[${good}]}`,
    { contentType: json },
    403,
    ["other"],
  ],
  ["an unknown query parameter", good, { query: { prefix4: "x" } }, 400, ["prefix4"]],
  ["an unknown field", event({ mesage: "x" }), {}, 400, ["mesage"]],
  ["an unknown field of the body", `{"event":[]}`, { contentType: json }, 400, ["event"]],
  ["a body without events", "{}", { contentType: json }, 400, ["events"]],
  ["events that are no list", `{"events":{}}`, { contentType: json }, 400, ["events"]],
  ["a line that is no object", `${good}\n[1]`, {}, 400, ["2"]],
  ["an event without a message", `${good}\n{"prefix0":"x"}`, {}, 400, ["message"]],
  ["a message that is a number", `${good}\n${event({ message: 1 })}`, {}, 400, ["message"]],
  [
    "a time before 1970",
    event({ time: "1969-12-31T23:59:59Z" }),
    {},
    400,
    ["time", "1969", "range"],
  ],
  ["a negative time", event({ time: "-1" }), {}, 400, ["time", "-1"]],
  ["a time at the end", event({ time: "2254-07-22T01:34:33Z" }), {}, 400, ["time", "range"]],
  ["a time past it", `${good}\n${event({ time: "9999999999999999999" })}`, {}, 400, ["9999999999"]],
  ["a time in words", event({ time: "yesterday" }), {}, 400, ["time", "yesterday"]],
  ["a day that is not", event({ time: "2025-02-29T00:00:00Z" }), {}, 400, ["2025-02-29"]],
  ["a NUL in a label", event({ prefix0: "a\u0000b" }), {}, 400, ["prefix0"]],
  ["a line feed in a label", event({ prefix3: "a\nb" }), {}, 400, ["prefix3"]],
  ["a DEL in a label", event({ prefix1: "\u007f" }), {}, 400, ["prefix1"]],
  ["a control character in the query", good, { query: { prefix2: "\u0001" } }, 400, ["prefix2"]],
  ["a label of 256 bytes", event({ prefix0: "é".repeat(128) }), {}, 400, ["prefix0", "255"]],
  ["a label that is no text", event({ prefix0: 7 }), {}, 400, ["prefix0"]],
  ["65 attributes", event({ attributes: manyEntries(65) }), {}, 400, ["attributes", "64"]],
  ["100,000 attributes", event({ attributes: manyEntries(100_000) }), {}, 400, ["attributes"]],
  ["100,000 unknown fields", event(manyEntries(100_000)), {}, 400, ["key"]],
  ["an empty attribute key", event({ attributes: { "": "v" } }), {}, 400, ["attribute"]],
  ["a long attribute key", event({ attributes: { ["k".repeat(256)]: "v" } }), {}, 400, ["255"]],
  ["a long attribute", event({ attributes: { k: "v".repeat(32_769) } }), {}, 400, ["32768"]],
  ["an attribute that is a number", event({ attributes: { k: 1 } }), {}, 400, ["attribute"]],
  ["attributes that are a list", event({ attributes: [] }), {}, 400, ["attributes"]],
  [
    "an event over 1 MiB",
    `forbidden\n${"x".repeat(mebibyte + 1)}`,
    { contentType: text },
    413,
    ["1048576"],
  ],
  [
    "a JSON event over 1 MiB",
    event({ message: "é".repeat(mebibyte / 2 + 1) }),
    {},
    413,
    ["1048576"],
  ],
  [
    "a body over the limit",
    "forbidden\n".repeat(mebibyte / 4),
    { contentType: text },
    413,
    ["2097152"],
  ],
  [
    "a decoded body over the limit",
    new Uint8Array(gzipSync("forbidden\n".repeat(mebibyte))),
    { contentType: text, headers: { "content-encoding": "gzip" } },
    413,
    ["8388608"],
  ],
  [
    "truncated gzip",
    truncatedGzip("forbidden\n".repeat(1000)),
    { contentType: text, headers: { "content-encoding": "gzip" } },
    400,
    ["gzip"],
  ],
  [
    "no gzip at all",
    "forbidden\n",
    { contentType: text, headers: { "content-encoding": "gzip" } },
    400,
    ["gzip"],
  ],
];

describe("the native ingest refuses", () => {
  test.for(rows)("%s", async ([, body, options, status, mentions]) => {
    await expectRefusal(await postIngest(service, body, options), status, mentions);
  });

  test.for(["GET", "PUT", "DELETE", "PATCH"])("the method %s", async (method) => {
    const headers = { authorization: `Token ${service.writeToken}` };
    const response = await fetch(`${service.url}/api/ingest/v1`, { method, headers });
    expect(response.headers.get("allow")).toContain("POST");
    await expectRefusal(response, 405);
  });

  test("a request without a token", async () => {
    const headers = { "content-type": text };
    const url = `${service.url}/api/ingest/v1`;
    await expectRefusal(await fetch(url, { method: "POST", headers, body: "forbidden" }), 401);
  });

  test("a read token", async () => {
    const options = authorization(`Token ${service.readToken}`);
    await expectRefusal(await postIngest(service, good, options), 403);
  });

  test("a label outside the token's prefixes, with all other events of the request", async () => {
    const body = toNdjson([
      { message: "forbidden", prefix0: "ci-1" },
      { message: "forbidden", prefix0: "ci" },
    ]);
    const response = await postIngest(service, body, authorization(`Token ${scopedToken}`));
    await expectRefusal(response, 403, ["prefix0"]);
  });

  test("broken JSON, and names the line and the offset", async () => {
    const body = `{\n  "events": [\n    {"message": "forbidden"},\n    {"message" "x"}\n  ]\n}`;
    const whole = await expectRefusal(await postIngest(service, body, { contentType: json }), 400);
    expect(whole.details["line"]).toBe(4);
    expect(whole.details["offset"]).toBeTypeOf("number");
    const lines = `${good}\n\n${good}\n{"message":"x"\n${good}`;
    const line = await expectRefusal(await postIngest(service, lines), 400);
    expect(line.details["line"]).toBe(4);
    expect(line.details["offset"]).toBeTypeOf("number");
    const cut = `{"events":[${good}`;
    const end = await expectRefusal(await postIngest(service, cut, { contentType: json }), 400);
    expect(end.details["line"]).toBe(1);
  });

  test("JSON nested too deeply to be an event", async () => {
    const deep = `{"events":${"[".repeat(500_000)}${"]".repeat(500_000)}}`;
    await expectRefusal(await postIngest(service, deep, { contentType: json }), 400);
  });

  test("a body of unknown length over the limit", async () => {
    const chunk = Buffer.from("forbidden\n".repeat(10_000));
    const body = ReadableStream.from(Array.from({ length: 40 }, () => chunk));
    const response = await fetch(`${service.url}/api/ingest/v1`, {
      method: "POST",
      headers: { authorization: `Token ${service.writeToken}`, "content-type": text },
      body,
      duplex: "half",
    });
    await expectRefusal(response, 413, ["2097152"]);
  });

  test("a small body that grows beyond all limits when it is decoded", async () => {
    const bombs = await createBombs(512);
    for (const [encoding, body] of bombs) {
      expect(body.length).toBeLessThan(2 * mebibyte);
      const headers = { "content-encoding": encoding };
      const response = await postIngest(service, body, { contentType: text, headers });
      await expectRefusal(response, 413, ["8388608"]);
    }
  });

  test("a body that stalls, after its timeout", async () => {
    const headers = {
      authorization: `Token ${service.writeToken}`,
      "content-type": text,
      "content-length": 1000,
    };
    const socket = await openRequest(service, "/api/ingest/v1", headers);
    socket.write("forbidden\nforbidden\n");
    const { status, body } = await readReply(socket);
    expect(readError(status, body).errorCode).toBe("BODY_TIMEOUT");
  });
});

describe("the native ingest takes", () => {
  test("what is just within its limits", async () => {
    const body = toNdjson([
      { message: "x".repeat(mebibyte), prefix0: "é".repeat(127) },
      { message: "", time: "0", attributes: manyEntries(64) },
      { message: "", time: "8979644072999999999", attributes: { ["k".repeat(255)]: "" } },
      { message: "", attributes: { k: "v".repeat(32_768) } },
    ]);
    expect(await ingest(service, body)).toEqual({ accepted: 4 });
    accepted += 4;
  });

  test("100,000 streams in one body, or says that it does not", async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => ({
      message: "many",
      prefix0: `stream-${index}`,
    }));
    const response = await postIngest(service, new Uint8Array(gzipSync(toNdjson(lines))), {
      headers: { "content-encoding": "gzip" },
    });
    if (response.status === 202) {
      expect(await response.json()).toEqual({ accepted: 100_000 });
      accepted += 100_000;
    } else {
      await expectRefusal(response, response.status);
      expect(response.status).toBeLessThan(500);
    }
  });

  test("all or nothing of a client that goes before the reply, and its repeat once", async () => {
    const lines = "gone\n".repeat(50);
    for (let round = 0; round < 10; round += 1) {
      const key = `gone-${round}`;
      const socket = await openRequest(service, "/api/ingest/v1?prefix0=gone", {
        authorization: `Token ${service.writeToken}`,
        "content-type": text,
        "content-length": lines.length,
        "idempotency-key": key,
      });
      // In the first rounds a part of the body is missing: nothing may be stored.
      socket.write(round < 3 ? lines.slice(0, 100) : lines);
      await sleep(round);
      socket.destroy();
      if (round < 3) continue;
      const headers = { "idempotency-key": key };
      const options = { contentType: text, query: { prefix0: "gone" }, headers };
      expect((await ingest(service, lines, options)).accepted).toBe(50);
      accepted += 50;
    }
    await waitForCount(service, { regex: "gone" }, 350);
  });
});

test("nothing of a refused request is stored, and all of the others is", async () => {
  await ingest(service, "sentinel", { contentType: text });
  accepted += 1;
  await waitForCount(service, { regex: ".*", beginTime: "1970-01-01 00:00:00" }, accepted);
  expect(await countEvents(service, { regex: ".*forbidden.*" })).toBe(0);
  expect(await countEvents(service, { regex: "sentinel" })).toBe(1);
});
