// A store that says nothing: queries are begun and polled for, others are told to come again.
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeEvents, eventAt, insertEvents } from "../../consumers/store/store-fixture.ts";
import { openVendorServer, type VendorServer } from "./vendor-fixture.ts";

let server: VendorServer;
let secret: string;
const nowMs = Date.now();

beforeAll(async () => {
  server = await openVendorServer();
  await server.createKey({ kind: "logentries-log", logset: "web", log: "access" });
  ({ secret } = await server.createKey({ kind: "logentries-read" }));
  const events = ["access", "unnamed"].map((prefix1) =>
    eventAt(BigInt(nowMs) * 1_000_000n, {
      prefix0: "web",
      prefix1,
      prefix3: "logentries",
      message: `status=200 of ${prefix1}`,
    }),
  );
  await insertEvents(server.opened.writer, encodeEvents(events), "1");
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly json: {
    readonly id?: string;
    readonly progress?: number;
    readonly events?: readonly { readonly message: string }[];
    readonly links?: readonly { readonly rel: string; readonly href: string }[];
    readonly logs?: readonly { readonly id: string; readonly name: string }[];
    readonly statistics?: { readonly stats: unknown };
  };
}

async function get(path: string): Promise<Answer> {
  const url = path.startsWith("http") ? path : `${server.url}${path}`;
  const response = await fetch(url, { headers: { "x-api-key": secret } });
  return {
    status: response.status,
    retryAfter: response.headers.get("retry-after"),
    json: (await response.json()) as Answer["json"],
  };
}

test("polls tell of the progress while the store hangs, and of the answer when it goes on", async () => {
  const { json } = await get("/management/logs");
  const idOf = (name: string) => json.logs?.find((log) => log.name === name)?.id ?? "";
  const span = `from=${nowMs - 1_000}&to=${nowMs + 1_000}`;
  const queries = [
    `/query/logs/${idOf("access")}?query=where(status=200)&${span}`,
    // No key names this log, only its events.
    `/query/logs/${idOf("unnamed")}?query=where(status=200)calculate(count)&${span}`,
  ];
  const store = server.opened.store.pid ?? 0;
  process.kill(store, "SIGSTOP");
  let links: string[];
  try {
    const begun = await Promise.all(queries.map(get));
    expect(begun).toMatchObject([
      { status: 202, json: { progress: 0, links: [{ rel: "Self" }] } },
      { status: 202, json: { progress: 0, links: [{ rel: "Self" }] } },
    ]);
    links = begun.map((answer) => answer.json.links?.[0]?.href ?? "");
    for (let polls = 0; polls < 2; polls++) {
      for (const { status, json } of await Promise.all(links.map(get))) {
        expect(status).toBe(200);
        expect(json).toMatchObject({ progress: 0, events: [], links: [{ rel: "Self" }] });
      }
    }
    // Which logs there are now only the store can tell.
    expect(await get("/management/logs")).toMatchObject({
      status: 503,
      retryAfter: "2",
      json: { errorCode: 101_503, message: "the store does not answer" },
    });
  } finally {
    process.kill(store, "SIGCONT");
  }
  const answers = await Promise.all(links.map(pollToTheEnd));
  expect(answers[0]?.events).toMatchObject([{ message: "status=200 of access" }]);
  expect(answers[1]?.statistics?.stats).toEqual({ global_timeseries: { count: 1 } });
  expect((await get("/management/logs")).status).toBe(200);
});

async function pollToTheEnd(link: string): Promise<Answer["json"]> {
  for (;;) {
    const { json } = await get(link);
    if (json.progress === undefined) return json;
  }
}
