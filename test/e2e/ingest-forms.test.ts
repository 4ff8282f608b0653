// Sends the same events in every body form and encoding, and reads them back as they were.
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingest, postIngest, search, toNdjson, waitForCount } from "../support/api.ts";
import { showReplyEvents } from "../support/compare.ts";
import { startService, type Service } from "../support/service.ts";

let service: Service;

beforeAll(async () => {
  service = await startService();
}, 120_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
}, 60_000);

async function readMessages(prefix0: string, expected: number): Promise<string[]> {
  await waitForCount(service, { regex: ".*", prefix0 }, expected);
  const reply = await search(service, { regex: ".*", prefix0, type: "BACKWARD_RESULTS" });
  return reply.events.map(({ message }) => message);
}

const awkward = ["first", "", "  blanks  ", "tab\there", "é 日本 🙂", '{"json": "inside"}', "last"];

describe("every content encoding", () => {
  const encodings: readonly (readonly [string, string, (body: string) => Buffer])[] = [
    ["identity", "identity", (body) => Buffer.from(body)],
    ["gzip", "gzip", gzipSync],
    ["deflate", "deflate", deflateSync],
    ["br", "br", brotliCompressSync],
    ["zstd", "zstd", zstdCompressSync],
    ["gzip of two members", "gzip", (body) => twoMembers(body)],
  ];

  function twoMembers(body: string): Buffer {
    const bytes = Buffer.from(body);
    const middle = Math.floor(bytes.length / 2);
    return Buffer.concat([gzipSync(bytes.subarray(0, middle)), gzipSync(bytes.subarray(middle))]);
  }

  test.for(encodings)("%s brings the events as they were sent", async ([name, header, encode]) => {
    const prefix0 = `encoding ${name}`;
    const reply = await ingest(service, new Uint8Array(encode(`${awkward.join("\n")}\n`)), {
      contentType: "text/plain",
      headers: { "content-encoding": header },
      query: { prefix0 },
    });
    expect(reply).toEqual({ accepted: awkward.length });
    expect(await readMessages(prefix0, awkward.length)).toEqual(awkward.toReversed());
  });

  test("a deflate body without the zlib wrapper is read or refused, never stored in part", async () => {
    const prefix0 = "raw deflate";
    const response = await postIngest(
      service,
      new Uint8Array(deflateRawSync(`${awkward.join("\n")}\n`)),
      { contentType: "text/plain", headers: { "content-encoding": "deflate" }, query: { prefix0 } },
    );
    expect([202, 400]).toContain(response.status);
    const expected = response.status === 202 ? awkward.toReversed() : [];
    expect(await readMessages(prefix0, expected.length)).toEqual(expected);
  });
});

describe("every body form", () => {
  test("text is split at line feeds, one trailing carriage return removed, empty lines kept", async () => {
    const body = "a\r\nb\r\r\n\nc\rd\n\r\nend";
    const expected = ["a", "b\r", "", "c\rd", "", "end"];
    const reply = await ingest(service, body, {
      contentType: "text/plain; charset=utf-8",
      query: { prefix0: "text" },
    });
    expect(reply.accepted).toBe(expected.length);
    expect(await readMessages("text", expected.length)).toEqual(expected.toReversed());
  });

  test("NDJSON skips blank lines and takes defaults from the query", async () => {
    const body = '{"message":"one"}\n\n  \n{"message":"two","prefix1":"own"}';
    const reply = await ingest(service, body, {
      query: { customer: "acme", prefix0: "ndjson", prefix1: "default", prefix3: "three" },
    });
    expect(reply.accepted).toBe(2);
    await waitForCount(service, { regex: ".*", prefix0: "ndjson" }, 2);
    const answer = await search(service, {
      regex: ".*",
      prefix0: "ndjson",
      type: "BACKWARD_RESULTS",
    });
    expect(showReplyEvents(answer).map(({ labels, message }) => [labels, message])).toEqual([
      [["ndjson", "own", "", "three"], "two"],
      [["ndjson", "default", "", "three"], "one"],
    ]);
  });

  test("in JSON an event's label wins over the body's, and that over the query's", async () => {
    const body = {
      customer: "acme",
      prefix1: "body",
      prefix2: "body",
      events: [
        { message: "multi\nline", prefix2: "event", attributes: { region: "eu", empty: "" } },
        { message: "plain" },
      ],
    };
    const reply = await ingest(service, JSON.stringify(body), {
      contentType: "application/json",
      query: { prefix0: "json", prefix1: "query" },
    });
    expect(reply.accepted).toBe(2);
    await waitForCount(service, { regex: ".*", prefix0: "json" }, 2);
    const answer = await search(service, {
      regex: ".*",
      prefix0: "json",
      type: "BACKWARD_RESULTS",
    });
    expect(showReplyEvents(answer).map(({ labels, message }) => [labels, message])).toEqual([
      [["json", "body", "body", ""], "plain"],
      [["json", "body", "event", ""], "multi\nline"],
    ]);
  });

  test("an event without a time gets the time of its arrival", async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    await ingest(service, "now", { contentType: "text/plain", query: { prefix0: "arrival" } });
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    await waitForCount(service, { regex: ".*", prefix0: "arrival" }, 1);
    const { events } = await search(service, { regex: ".*", prefix0: "arrival" });
    const time = BigInt(events[0]?.time ?? -1);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
  });

  const times: readonly (readonly [string, bigint])[] = [
    ["0", 0n],
    ["1700000000123456789", 1_700_000_000_123_456_789n],
    ["2024-02-29T12:00:00Z", 1_709_208_000_000_000_000n],
    ["2024-02-29 12:00:00", 1_709_208_000_000_000_000n],
    ["2024-02-29T12:00:00.5+02:00", 1_709_200_800_500_000_000n],
    ["2024-02-29T12:00:00.1234567899-0130", 1_709_213_400_123_456_789n],
    ["2254-07-22T01:34:32.999999999Z", 8_979_644_072_999_999_999n],
  ];

  test("every form of time is stored to the nanosecond", async () => {
    const events = times.map(([time], index) => ({ time, message: `form ${index}` }));
    await ingest(service, toNdjson(events), { query: { prefix0: "times" } });
    const beginTime = "1970-01-01 00:00:00";
    await waitForCount(service, { regex: ".*", prefix0: "times", beginTime }, times.length);
    const reply = await search(service, { regex: ".*", prefix0: "times", beginTime });
    const found = new Map(reply.events.map(({ message, time }) => [message, BigInt(time)]));
    expect(found).toEqual(new Map(times.map(([, ns], index) => [`form ${index}`, ns])));
  });

  test("invalid UTF-8 is replaced, and the reply says in how many events", async () => {
    const text = Buffer.concat([
      Buffer.from("bad "),
      Buffer.from([0xff, 0xc3]),
      Buffer.from(" end\ngood é\n"),
      Buffer.from([0xed, 0xa0, 0x80]),
    ]);
    const options = { contentType: "text/plain", query: { prefix0: "utf8" } };
    const reply = await ingest(service, new Uint8Array(text), options);
    expect(reply).toEqual({ accepted: 3, invalidUtf8: 2 });
    const messages = await readMessages("utf8", 3);
    expect(messages[1]).toBe("good é");
    expect(messages[2]).toMatch(/^bad \ufffd+ end$/);
    expect(messages[0]).toMatch(/^\ufffd+$/);
  });

  test("a lone surrogate in JSON is stored as the replacement character", async () => {
    const body = '{"message":"lone \\ud800 end"}\n{"message":"pair \\ud83d\\ude42"}';
    const reply = await ingest(service, body, { query: { prefix0: "surrogate" } });
    expect(reply.accepted).toBe(2);
    expect(await readMessages("surrogate", 2)).toEqual(["pair 🙂", "lone \ufffd end"]);
  });

  test("one request that spans 300 days and 300 streams is stored whole", async () => {
    const day = 86_400_000_000_000n;
    const events = Array.from({ length: 300 }, (_, index) => ({
      time: String(1_700_000_000_000_000_000n + BigInt(index) * day),
      prefix0: `days-${index}`,
      message: `day ${index}`,
    }));
    const reply = await ingest(service, toNdjson(events));
    expect(reply.accepted).toBe(300);
    const seconds = await waitForCount(service, { regex: ".*", prefix0: "days-" }, 300);
    console.log(`300 days in one request: searchable after ${seconds.toFixed(2)} s`);
  }, 90_000);
});

describe("an idempotency key", () => {
  const headers = { "idempotency-key": "e2e key 1" };
  const query = { prefix0: "idempotent" };

  test("makes a repeat harmless and says so", async () => {
    const body = "once\ntwice\n";
    const options = { contentType: "text/plain", headers, query };
    expect(await ingest(service, body, options)).toEqual({ accepted: 2 });
    expect(await ingest(service, body, options)).toEqual({ accepted: 2, duplicate: true });
    const concurrent = { ...options, headers: { "idempotency-key": "e2e key 2" } };
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => ingest(service, body, concurrent)),
    );
    expect(replies.filter(({ duplicate }) => duplicate !== true)).toHaveLength(1);
    expect(await readMessages("idempotent", 4)).toHaveLength(4);
  });

  test("is remembered over a restart", async () => {
    await service.stop();
    await service.start();
    const options = { contentType: "text/plain", headers, query };
    expect(await ingest(service, "once\ntwice\n", options)).toEqual({
      accepted: 2,
      duplicate: true,
    });
    await ingest(service, "sentinel", { contentType: "text/plain", query });
    expect(await readMessages("idempotent", 5)).toHaveLength(5);
  }, 120_000);

  test("with another body is refused and nothing of it is stored", async () => {
    const response = await postIngest(service, "another\n", {
      contentType: "text/plain",
      headers,
      query,
    });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ errorCode: "IDEMPOTENCY_MISMATCH" });
    await ingest(service, "sentinel", { contentType: "text/plain", query });
    expect(await readMessages("idempotent", 6)).not.toContain("another");
  });
});

describe("uploadLogs", () => {
  const upload = (body: string, headers: Record<string, string> = {}): Promise<Response> => {
    const token = service.writeToken;
    return fetch(`${service.url}/api/uploadLogs?token=${token}&logfile=app.log&parser=access`, {
      method: "POST",
      headers: { "content-type": "text/plain", "server-host": "scalyr-host", ...headers },
      body,
    });
  };

  test("stores lines under host, logfile and parser and answers success", async () => {
    const response = await upload("one\rtwo\r\nthree\nfour", { "server-region": "eu" });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "success" });
    await waitForCount(service, { regex: ".*", prefix0: "scalyr-host" }, 4);
    const reply = await search(service, {
      regex: ".*",
      prefix0: "scalyr-host",
      type: "BACKWARD_RESULTS",
    });
    const labels = ["scalyr-host", "app.log", "access", "scalyr"];
    expect(showReplyEvents(reply).map((event) => [event.labels, event.message])).toEqual(
      ["four", "three", "two", "one"].map((message) => [labels, message]),
    );
  });

  test("stores one nonce once, also over a restart", async () => {
    const nonce = { nonce: "e2e nonce", "server-host": "nonce-host" };
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const response = await upload("same", nonce);
      expect(await response.json()).toEqual({ status: "success" });
    }
    await service.killAll();
    await service.start();
    expect((await upload("same", nonce)).status).toBe(200);
    expect((await upload("other", { "server-host": "nonce-host" })).status).toBe(200);
    expect(await readMessages("nonce-host", 2)).toEqual(["other", "same"]);
  }, 120_000);
});
