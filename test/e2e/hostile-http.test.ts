// Any bytes at the native ingest: never a failure of the service, never a connection that hangs, every refusal names
// what is wrong, and what is stored is exactly what was acknowledged.
import { once } from "node:events";
import { connect } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { errorCatalogue, type ErrorCode } from "../../schemas/errors.ts";
import { countEvents, search } from "../support/api.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const RUNS = 600;
const BODY_TIMEOUT_MS = 300;
/** Many times what any answer may take. */
const HANG_MS = 20_000;

let service: Service;

beforeAll(async () => {
  service = await startService({
    env: {
      LOGBOOM_BODY_TIMEOUT_MS: String(BODY_TIMEOUT_MS),
      LOGBOOM_MAX_BODY_BYTES: "20000",
      LOGBOOM_MAX_DECODED_BODY_BYTES: "40000",
      LOGBOOM_MAX_EVENT_BYTES: "5000",
    },
  });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

const usually = <Value>(value: Value, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });

const method = usually(
  "POST",
  fc.constantFrom(
    "GET",
    "PUT",
    "DELETE",
    "PATCH",
    "HEAD",
    "OPTIONS",
    "PROPFIND",
    "post",
    "X Y",
    "",
  ),
);
const queryPart = fc.oneof(
  fc.constantFrom(
    "customer=acme",
    "customer=other",
    "customer=",
    "prefix0=web",
    "prefix3=%F0%9F%92%A5",
    "prefix1=%ff",
    "prefix2=%00",
    "prefix0=a&prefix0=b",
    "unknown=1",
    "__proto__=1",
    "&&==",
    "%zz",
  ),
  fc.nat(400).map((length) => `prefix1=${"x".repeat(length)}`),
);
const target = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(queryPart, { maxLength: 3 })
      .map((parts) => `/api/ingest/v1${parts.length === 0 ? "" : `?${parts.join("&")}`}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "http://elsewhere.example/api/ingest/v1",
      "/api/ingest/v1/",
      "/api/ingest/v2",
      "//",
      "*",
      "/%ff",
      "/api/../api/ingest/v1",
      "x",
    ),
  },
);
const authorization = fc.constantFrom(
  "good",
  "good",
  "good",
  "good",
  "read",
  "none",
  "Token",
  "Bearer x",
  "Token \u00ff",
  `Token ${"x".repeat(3000)}`,
);
const contentType = fc.constantFrom(
  "application/x-ndjson",
  "application/x-ndjson",
  "application/json",
  "text/plain",
  "text/plain; charset=utf-8",
  "text/plain; charset=latin1",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "APPLICATION/JSON;",
  "",
  ";;;",
);
const encodings = {
  identity: (body: Buffer) => body,
  gzip: (body: Buffer) => gzipSync(body),
  deflate: (body: Buffer) => deflateSync(body),
  br: (body: Buffer) => brotliCompressSync(body),
  zstd: (body: Buffer) => zstdCompressSync(body),
  /** Says one thing and is another. */
  "gzip, but not": (body: Buffer) => body,
  compress: (body: Buffer) => body,
} as const;
const encoding = usually<keyof typeof encodings>(
  "identity",
  fc.constantFrom(...(Object.keys(encodings) as (keyof typeof encodings)[])),
);
const oddHeader = fc.constantFrom(
  "expect: 100-continue",
  "expect: banana",
  "idempotency-key: ",
  `idempotency-key: ${"k".repeat(300)}`,
  "idempotency-key: caf\u00e9",
  "content-encoding: gzip\r\ncontent-encoding: br",
  "x-odd: \u0001",
  "no colon",
  "connection: close",
  // Node.js 26 loses what comes in the same piece behind such a request, so it has to be the last.
  "connection: upgrade, close\r\nupgrade: h2c",
  `x-long: ${"x".repeat(9000)}`,
);
/** How the body's end is told. */
const framing = fc.constantFrom(
  "length",
  "length",
  "length",
  "chunked",
  "chunked",
  "length short",
  "length long",
  "length odd",
  "chunked odd",
  "chunked open",
  "both",
  "none",
);
/** What stands in an event beside its mark. */
const flaw = usually(
  "",
  fc.constantFrom(
    '"time":"yesterday",',
    '"time":5,',
    '"time":"9999999999999999999",',
    '"prefix0":null,',
    '"prefix9":"x",',
    '"attributes":{"a":1},',
    '"attributes":[],',
    '"attributes":{"__proto__":"x"},',
    '"message":{"a":[1]},',
    '"a":',
    "\u0000",
    `"prefix1":"${"x".repeat(300)}",`,
    `"attributes":{"a":"${"x".repeat(6000)}"},`,
  ),
);
const request = fc.record({
  method,
  target,
  authorization,
  contentType,
  encoding,
  oddHeaders: fc.oneof(
    { weight: 3, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.array(oddHeader, { maxLength: 2 }) },
  ),
  framing,
  flaws: fc.array(flaw, { minLength: 0, maxLength: 4 }),
  padding: usually(0, fc.constantFrom(4900, 5100, 30_000)),
  /** Where the body is cut or gets a foreign byte, as shares of its length. */
  damage: usually<readonly [number, number] | undefined>(
    undefined,
    fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)),
  ),
});
type Request = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

function bodyOf({ contentType: type, flaws, padding, damage }: Request, id: number): Buffer {
  const events = flaws.map(
    (text, index) => `{${text}"message":"fuzz-${id}-${index}.${"y".repeat(padding)}"}`,
  );
  const text = type.startsWith("text")
    ? flaws.map((_, index) => `fuzz-${id}-${index}.${"y".repeat(padding)}`).join("\n")
    : type.toLowerCase().startsWith("application/json")
      ? `{"events":[${events.join(",")}]}`
      : events.join("\n");
  const body = Buffer.from(text);
  if (damage === undefined || body.length === 0) return body;
  const [share, byte] = damage;
  const place = Math.min(body.length - 1, Math.floor(share * body.length));
  if (byte < 128) return body.subarray(0, place);
  body[place] = byte;
  return body;
}

/** The bytes of a request. */
function write(given: Request, id: number): Buffer {
  const plain = bodyOf(given, id);
  const body = Buffer.from(encodings[given.encoding](plain));
  const authorizations: Readonly<Record<string, string>> = {
    good: `authorization: Token ${service.writeToken}`,
    read: `authorization: Token ${service.readToken}`,
    none: "x-none: 1",
  };
  const framings: Readonly<Record<string, readonly [string, Buffer]>> = {
    length: [`content-length: ${body.length}`, body],
    "length short": [`content-length: ${Math.max(0, body.length - 5)}`, body],
    "length long": [`content-length: ${body.length + 5}`, body],
    "length odd": ["content-length: 1e3", body],
    chunked: ["transfer-encoding: chunked", Buffer.concat([chunk(body), Buffer.from("0\r\n\r\n")])],
    "chunked odd": [
      "transfer-encoding: chunked",
      Buffer.concat([chunk(body), Buffer.from("zz\r\nnot a chunk\r\n")]),
    ],
    "chunked open": ["transfer-encoding: chunked", chunk(body)],
    both: [`content-length: ${body.length}\r\ntransfer-encoding: chunked`, chunk(body)],
    none: ["x-none: 2", body],
  };
  const [frame = "", framed = body] = framings[given.framing] ?? [];
  const head = [
    `${given.method} ${given.target} HTTP/1.1`,
    "host: 127.0.0.1",
    authorizations[given.authorization] ?? `authorization: ${given.authorization}`,
    `content-type: ${given.contentType}`,
    ...(given.encoding === "identity"
      ? []
      : [`content-encoding: ${given.encoding.replace(", but not", "")}`]),
    ...given.oddHeaders,
    frame,
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), framed]);
}

function chunk(body: Buffer): Buffer {
  if (body.length === 0) return body;
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")]);
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** All that comes back until the service closes; the last request asks it to. */
async function exchange(bytes: Buffer): Promise<string> {
  const socket = connect({ port: service.port, host: "127.0.0.1", noDelay: true });
  let text = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  socket.on("error", () => {}); // a reset after the answer
  const timer = setTimeout(() => {
    text += " HANGS";
    socket.destroy();
  }, HANG_MS);
  socket.write(bytes);
  await once(socket, "close");
  clearTimeout(timer);
  return text;
}

/** The answers in their order, without "100 Continue". */
function readAnswers(text: string): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  for (;;) {
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1]);
    if (Number.isNaN(status)) break;
    const end = rest.indexOf("\r\n\r\n") + 4;
    const head = rest.slice(0, end);
    // HEAD is answered with the length of a body that does not come.
    const isWithout = status < 200 || status === 204 || /^(?:HTTP|$)/.test(rest.slice(end));
    const length = isWithout ? 0 : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (status >= 200) answers.push({ status, body: rest.slice(end, end + length) });
    rest = rest.slice(end + length);
  }
  expect(rest).toBe("");
  return answers;
}

function checkRefusal({ status, body }: Answer): void {
  expect(status).toBeLessThan(500);
  // HEAD is answered without a body.
  if (body === "") return;
  const { error, errorCode, details } = JSON.parse(body) as {
    error: string;
    errorCode: ErrorCode;
    details: Record<string, unknown>;
  };
  expect(error).toMatch(/^[^A-Z][^]*[^.]$/);
  expect(Object.keys(errorCatalogue)).toContain(errorCode);
  expect(error).not.toContain(service.writeToken);
  if (["BAD_REQUEST", "TOO_LARGE", "UNSUPPORTED_MEDIA"].includes(errorCode)) {
    const isPlaced = ["field", "line", "offset", "event", "limit", "received"].some(
      (name) => name in details,
    );
    expect(isPlaced, body).toBe(true);
  }
}

test("whatever is sent, what is stored is what was acknowledged", async () => {
  const acknowledged = new Map<number, number>();
  /** Whole requests that the connection ended before the answer of. */
  const unknown = new Set<number>();
  let lastId = 0;
  const outcomes = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), async (requests) => {
      const ids = requests.map(() => ++lastId);
      const last = "GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
      const bytes = requests.map((given, index) => write(given, ids[index] ?? 0));
      const text = await exchange(Buffer.concat([...bytes, Buffer.from(last)]));
      expect(text).not.toContain("HANGS");
      expect(text).toMatch(/^HTTP\/1\.1 /);
      const answers = readAnswers(text);
      for (const [index, answer] of answers.entries()) {
        outcomes.set(answer.status, (outcomes.get(answer.status) ?? 0) + 1);
        const id = ids[index];
        if (answer.status >= 400) checkRefusal(answer);
        if (answer.status !== 202 || id === undefined) continue;
        const { accepted } = JSON.parse(answer.body) as { accepted: number };
        acknowledged.set(id, accepted);
      }
      for (const id of ids.slice(answers.length)) unknown.add(id);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  // The fuzzing reached what it was meant for.
  for (const status of [202, 400, 401, 403, 405, 415]) {
    expect(outcomes.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(0);
  }

  const sum = [...acknowledged.values()].reduce((all, accepted) => all + accepted, 0);
  const stored = new Map<number, number>();
  // Those of which nobody was told may be there, too.
  await vi.waitFor(
    async () => expect(await countEvents(service, { regex: ".*" })).toBeGreaterThanOrEqual(sum),
    { timeout: 60_000, interval: 200 },
  );
  const { events } = await search(service, {
    regex: ".*",
    type: "BACKWARD_RESULTS",
    limit: 10_000,
  });
  for (const { message } of events) {
    const id = Number(/fuzz-(\d+)-/.exec(message)?.[1]);
    if (!Number.isNaN(id)) stored.set(id, (stored.get(id) ?? 0) + 1);
  }
  for (const [id, count] of stored) {
    expect([id, unknown.has(id) || count <= (acknowledged.get(id) ?? 0)]).toEqual([id, true]);
  }
});

test("who waits for 100 Continue behind another request is not told it within an answer", async () => {
  const head = (lines: readonly string[]): string =>
    [
      "POST /api/ingest/v1?customer=acme HTTP/1.1",
      "host: h",
      `authorization: Token ${service.writeToken}`,
      ...lines,
    ].join("\r\n");
  const first = `${head(["content-type: text/plain", "content-length: 5"])}\r\n\r\nhello`;
  const second = head(["content-encoding: gzip", "content-length: 6", "expect: 100-continue"]);
  const last = "GET /health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
  const text = await exchange(Buffer.from(`${first}${second}\r\n\r\nno gzi${last}`));
  const [taken, refused] = readAnswers(text);
  expect([taken?.status, refused?.status]).toEqual([202, 400]);
  expect(refused?.body).toContain("gzip");
});

test("the service is well, and has failed at nothing", async () => {
  expect((await fetch(`${service.url}/ready`)).status).toBe(200);
  expect(service.output).not.toMatch(/"level":[56]0/);
});
