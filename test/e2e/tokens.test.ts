// Tokens: what each may do, how they are given, revoked and kept, and that no secret is ever written.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  countEvents,
  ingest,
  postIngest,
  postSearch,
  toNdjson,
  waitForCount,
} from "../support/api.ts";
import { startService, type Endpoint, type Service } from "../support/service.ts";
import type { SearchReply } from "../support/snapshots.ts";
import { createToken, listTokens, revokeToken } from "../support/tokens.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let service: Service;
const secrets: string[] = [];

beforeAll(async () => {
  service = await startService();
  await ingest(
    service,
    toNdjson([
      { message: "of web-1 app", prefix0: "web-1", prefix1: "app" },
      { message: "of web-1 db", prefix0: "web-1", prefix1: "db" },
      { message: "of web-2 app", prefix0: "web-2", prefix1: "app" },
      { message: "of mail", prefix0: "mail" },
    ]),
  );
  await waitForCount(service, { regex: "of .*" }, 4);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

async function create(
  kind: "write" | "read",
  prefixes: string[] = [],
): Promise<Endpoint & { id: string }> {
  const { id, secret } = await createToken(service, kind, prefixes);
  secrets.push(secret);
  return { url: service.url, id, writeToken: secret, readToken: secret };
}

const asked = { regex: "of .*" };

/** The status of a request that this token makes. */
async function readStatus(endpoint: Endpoint): Promise<number> {
  const response = await postSearch(endpoint, asked);
  await response.arrayBuffer();
  return response.status;
}

async function writeStatus(endpoint: Endpoint, prefix0: string, prefix1 = ""): Promise<number> {
  const body = toNdjson([{ message: "by a token", prefix0, prefix1 }]);
  const response = await postIngest(endpoint, body);
  await response.arrayBuffer();
  return response.status;
}

/** Waits until the status is as expected, and prints how long it took. */
async function waitForStatus(
  what: string,
  ask: () => Promise<number>,
  expected: number,
): Promise<void> {
  const begin = performance.now();
  let status = 0;
  while (performance.now() - begin < 20_000) {
    status = await ask();
    if (status === expected) {
      console.log(`${what}: after ${((performance.now() - begin) / 1000).toFixed(2)} s`);
      return;
    }
    await sleep(50);
  }
  throw new Error(`${what}: still ${status}, expected ${expected}`);
}

describe("a scope", () => {
  test("of a read token limits what it finds, together with the query's prefixes", async () => {
    const token = await create("read", ["web", "app"]);
    await waitForStatus("a new read token works", () => readStatus(token), 200);
    expect(await countEvents(token, asked)).toBe(2);
    expect(await countEvents(token, { ...asked, prefix0: "web-1" })).toBe(1);
    expect(await countEvents(token, { ...asked, prefix0: "w" })).toBe(2);
    expect(await countEvents(token, { ...asked, prefix1: "db" })).toBe(0);
    expect(await countEvents(token, { ...asked, prefix0: "mail" })).toBe(0);
  });

  test("of a write token limits what it may store, for the whole request", async () => {
    const token = await create("write", ["ci-", "app"]);
    await waitForStatus("a new write token works", () => writeStatus(token, "ci-1", "app"), 202);
    expect(await writeStatus(token, "ci", "app")).toBe(403);
    expect(await writeStatus(token, "ci-1", "ap")).toBe(403);
    const mixed = toNdjson([
      { message: "mixed good", prefix0: "ci-1", prefix1: "app" },
      { message: "mixed bad", prefix0: "web-1", prefix1: "app" },
    ]);
    const response = await postIngest(token, mixed);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ errorCode: "NO_PERMISSION" });
    await ingest(service, "sentinel of the scope", { contentType: "text/plain" });
    await waitForCount(service, { regex: "sentinel of the scope" }, 1);
    expect(await countEvents(service, { regex: "mixed .*" })).toBe(0);
  });

  test("does not let a token of one kind do the work of the other", async () => {
    const { url, readToken, writeToken } = service;
    const endpoint = { url, readToken: writeToken, writeToken: readToken };
    expect(await readStatus(endpoint)).toBe(403);
    expect(await writeStatus(endpoint, "web-1")).toBe(403);
  });

  test("of another customer sees and stores nothing of this one", async () => {
    const { secret } = await createToken(service, "read", [], "other");
    secrets.push(secret);
    const other = { url: service.url, writeToken: "", readToken: secret };
    await waitForStatus("another customer is refused", () => readStatus(other), 403);
    expect(await countEvents(other, { ...asked, customer: "other" })).toBe(0);
  });
});

describe("the way a token is given", () => {
  const statusWith = async (headers: Record<string, string>): Promise<[number, string | null]> => {
    const response = await postSearch(service, asked, headers);
    return [response.status, ((await response.json()) as SearchReply).errorCode];
  };

  test("is the Authorization header or the cookie, and the header wins", async () => {
    const good = service.readToken;
    const wrong = "a-wrong-token-of-enough-length";
    const ok = [200, null];
    const refused = [401, "BAD_TOKEN"];
    expect(await statusWith({ authorization: `Token ${good}` })).toEqual(ok);
    expect(await statusWith({ cookie: `read_token=${good}` })).toEqual(ok);
    expect(await statusWith({ cookie: `a=b; read_token=${good}; c=d` })).toEqual(ok);
    expect(
      await statusWith({ authorization: `Token ${wrong}`, cookie: `read_token=${good}` }),
    ).toEqual(refused);
    expect(
      await statusWith({ authorization: `Token ${good}`, cookie: `read_token=${wrong}` }),
    ).toEqual(ok);
    expect(await statusWith({ cookie: `read_token=${wrong}` })).toEqual(refused);
    expect(await statusWith({ authorization: `Token ${wrong}` })).toEqual(refused);
    expect(await statusWith({ authorization: good })).toEqual(refused);
    expect(await statusWith({})).toEqual(refused);
  });
});

describe("a token", () => {
  test("is refused within two seconds of its revocation, also where its answer is cached", async () => {
    const reader = await create("read");
    const writer = await create("write");
    await waitForStatus("a new read token works", () => readStatus(reader), 200);
    await waitForStatus("a new write token works", () => writeStatus(writer, "web-1"), 202);
    const { ids } = await listTokens(service);
    expect(ids).toEqual(expect.arrayContaining([reader.id, writer.id]));
    await revokeToken(service, reader.id);
    await waitForStatus("a revoked read token is refused", () => readStatus(reader), 401);
    await revokeToken(service, writer.id);
    await waitForStatus(
      "a revoked write token is refused",
      () => writeStatus(writer, "web-1"),
      401,
    );
    expect(await readStatus(service)).toBe(200);
  });

  test("and its revocation are kept over a restart, and made while the service is stopped", async () => {
    const kept = await create("read", ["web-2"]);
    const revoked = await create("read");
    await revokeToken(service, revoked.id);
    await waitForStatus("a new read token works", () => readStatus(kept), 200);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const made = await create("read", ["mail"]);
    const revokedLater = await create("read");
    await revokeToken(service, revokedLater.id);
    await service.start();
    expect(await countEvents(kept, asked)).toBe(1);
    expect(await countEvents(made, asked)).toBe(1);
    expect(await readStatus(revoked)).toBe(401);
    expect(await readStatus(revokedLater)).toBe(401);
  });

  test("is kept over a kill right after its creation", async () => {
    const token = await create("read", ["mail"]);
    await service.killAll();
    await service.start();
    expect(await countEvents(token, asked)).toBe(1);
  });
});

/** The files below a folder, and which of the texts each holds. */
function findTexts(folder: string, texts: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const bytes = readFileSync(path);
    const held = texts.filter((text) => bytes.includes(text));
    if (held.length > 0) found.set(path, held);
  }
  return found;
}

describe("the text of a token", () => {
  test("is in no file of the data directory, in no log and in no reply", async () => {
    const upload = `${service.url}/api/uploadLogs?token=${service.writeToken}&host=h`;
    const headers = { "content-type": "text/plain" };
    expect((await fetch(upload, { method: "POST", headers, body: "x" })).status).toBe(200);
    const wrong = `${service.url}/api/uploadLogs?token=${service.readToken}&host=h`;
    const reply = await fetch(wrong, { method: "POST", headers, body: "x" });
    expect(reply.status).toBe(401);
    expect(await reply.text()).not.toContain(service.readToken);
    const lost = `${service.url}/no/such/path?token=${service.writeToken}`;
    expect(await (await fetch(lost)).text()).not.toContain(service.writeToken);

    const all = [service.writeToken, service.readToken, ...secrets];
    expect(secrets.length).toBeGreaterThan(5);
    const { text: listed } = await listTokens(service);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    for (const secret of all) {
      expect(service.output).not.toContain(secret);
      expect(listed).not.toContain(secret);
      expect(metrics).not.toContain(secret);
    }
    await service.stop();
    expect(findTexts(service.dataDir, all)).toEqual(new Map());
    // The search would have found what is there: the log or the store holds a label in plain bytes.
    expect(findTexts(service.dataDir, ["web-1"]).size).toBeGreaterThan(0);
    expect(service.output.length).toBeGreaterThan(0);
  });

  test("is generated on the first run into a file that only its owner may read", async () => {
    await using fresh = await startService({ tokens: "generated" });
    const files = readdirSync(fresh.dataDir, { withFileTypes: true })
      .filter((entry) => entry.isFile() && /token/i.test(entry.name))
      .map(({ name }) => join(fresh.dataDir, name));
    expect(files).not.toEqual([]);
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
    const words = files.flatMap((file) => readFileSync(file, "utf8").match(/[\w.+/-]{16,}/g) ?? []);
    const works = async (ask: (endpoint: Endpoint) => Promise<number>): Promise<string[]> => {
      const good: string[] = [];
      for (const word of words) {
        const status = await ask({ url: fresh.url, readToken: word, writeToken: word });
        if (status === 200 || status === 202) good.push(word);
      }
      return good;
    };
    const readers = await works(readStatus);
    const writers = await works((endpoint) => writeStatus(endpoint, ""));
    expect(readers).toHaveLength(1);
    expect(writers).toHaveLength(1);
    const generated = [...readers, ...writers];
    for (const secret of generated) expect(fresh.output).not.toContain(secret);
    await fresh.stop();
    expect([...findTexts(fresh.dataDir, generated).keys()].toSorted()).toEqual(files.toSorted());
    await fresh.start();
    expect(await works(readStatus)).toEqual(readers);
  });
});

test("who tries keys is slowed down at search as at ingest, while a good key is served", async () => {
  await using fresh = await startService();
  expect(await readStatus(fresh)).toBe(200);
  const guess = (key: string): Endpoint => ({ url: fresh.url, readToken: key, writeToken: key });
  const guesses = Array.from({ length: 101 }, (_, n) => guess(`guess-${n}`));
  const statuses: number[] = [];
  for (const one of guesses) statuses.push(await readStatus(one));
  expect(new Set(statuses.slice(0, 100))).toEqual(new Set([401]));
  expect(statuses.at(-1)).toBe(429);
  const refused = await postSearch(guess("one-more-guess"), asked);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ errorCode: "RATE_LIMITED", complete: false });
  expect(await writeStatus(guess("one-more-guess"), "")).toBe(429);
  expect(await readStatus(fresh)).toBe(200);
});
