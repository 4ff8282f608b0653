// Tokens: who may do what, how a change reaches other processes, and that no secret is ever kept.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TokenStore, type TokenRequest } from "../../ingest/tokens.ts";
import { openTempLog, type TempLog } from "./log/log-fixture.ts";

let temp: TempLog;
let tokens: TokenStore;

beforeEach(async () => {
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log);
});

afterEach(async () => {
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

const writer: TokenRequest = { kind: "write", customer: "acme", prefixes: ["web", "", "", ""] };
const reader: TokenRequest = { kind: "read", customer: "acme", prefixes: ["", "", "", ""] };

const refused = (code: string, message: string) =>
  expect.objectContaining({ code, message }) as Error;
const unknown = refused("BAD_TOKEN", "the token is unknown or revoked");

/** Waits for what another store has to learn by following. */
async function within(timeoutMs: number, check: () => boolean): Promise<void> {
  for (let waited = 0; waited < timeoutMs; waited += 10) {
    if (check()) return;
    await sleep(10);
  }
  throw new Error(`not within ${timeoutMs} ms`);
}

function isGood(store: TokenStore, secret: string): boolean {
  try {
    store.authenticate(secret, "write");
    return true;
  } catch {
    return false;
  }
}

describe("a token", () => {
  test("tells who is asking and what they may do", async () => {
    const { secret, record } = await tokens.create(writer);
    expect(tokens.authenticate(secret, "write")).toEqual({
      tokenId: record.id,
      kind: "write",
      customer: "acme",
      prefixes: ["web", "", "", ""],
    });
  });

  test("has a secret of 256 random bits that names its kind, and an id of its own", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => tokens.create(writer)));
    for (const { secret } of made) expect(secret).toMatch(/^lb_write_[A-Za-z0-9_-]{43}$/);
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(20);
    expect(new Set(made.map(({ record }) => record.id)).size).toBe(20);
    expect((await tokens.create(reader)).secret).toMatch(/^lb_read_/);
  });

  test("is refused when it is none, unknown, or not quite right", async () => {
    const { secret } = await tokens.create(writer);
    expect(() => tokens.authenticate(undefined, "write")).toThrow(
      refused("BAD_TOKEN", 'no token given; send "Authorization: Token <token>"'),
    );
    expect(() => tokens.authenticate(undefined, ["logtrace", "read"])).toThrow(
      refused("BAD_TOKEN", 'no token given; send "Authorization: Bearer <key>"'),
    );
    expect(() => tokens.authenticate("", "write")).toThrow(
      expect.objectContaining({ details: { reason: "missing" } }),
    );
    for (const wrong of [
      "x",
      secret.slice(0, -1),
      `${secret}x`,
      secret.toUpperCase(),
      ` ${secret}`,
    ]) {
      expect(() => tokens.authenticate(wrong, "write"), wrong).toThrow(unknown);
    }
  });

  test("of one kind is not good for the other, and that is another refusal", async () => {
    const { secret } = await tokens.create(reader);
    expect(() => tokens.authenticate(secret, "write")).toThrow(
      expect.objectContaining({
        code: "NO_PERMISSION",
        message: "a read token is not good for this; expected write",
        details: { reason: "wrong-kind", tokenKind: "read" },
      }),
    );
    expect(tokens.authenticate(secret, "read").kind).toBe("read");
  });

  test("is no hash: what is stored does not open anything", async () => {
    const { record } = await tokens.create(writer);
    expect(() => tokens.authenticate(record.secretSha256, "write")).toThrow(unknown);
  });

  test("that was revoked is refused in the same words as one that never was", async () => {
    const { secret, record } = await tokens.create(writer);
    await tokens.revoke(record.id);
    const [revoked, never] = [secret, "a-secret-of-nobody"].map((one) => {
      try {
        return tokens.authenticate(one, "write");
      } catch (error) {
        return error;
      }
    });
    expect(revoked).toEqual(never);
    expect(revoked).toMatchObject({ code: "BAD_TOKEN", details: { reason: "unknown" } });
  });

  test("is good until it expires", async () => {
    let now = Date.parse("2026-05-01T00:00:00Z");
    const store = await TokenStore.open(temp.log, { now: () => now });
    const { secret } = await store.create({ ...writer, expiresAt: "2026-05-02T00:00:00Z" });
    now = Date.parse("2026-05-01T23:59:59.999Z");
    expect(isGood(store, secret)).toBe(true);
    now += 1;
    expect(() => store.authenticate(secret, "write")).toThrow(
      expect.objectContaining({ code: "BAD_TOKEN", details: { reason: "expired" } }),
    );
    await store.close();
  });

  test("of one of several kinds is taken where all of them are", async () => {
    const { secret } = await tokens.create({ ...reader, kind: "logentries-write" });
    expect(tokens.authenticate(secret, ["logentries-read", "logentries-write"]).kind).toBe(
      "logentries-write",
    );
    expect(() => tokens.authenticate(secret, ["logentries-read", "read"])).toThrow(
      "a logentries-write token is not good for this; expected logentries-read or read",
    );
  });

  test("for a customer with a slash is not made", async () => {
    await expect(tokens.create({ ...writer, customer: "a/b" })).rejects.toThrow(/customer/);
    expect(tokens.list()).toEqual([]);
  });
});

describe("revoking", () => {
  test("ends a token at once, and for ever", async () => {
    const { secret, record } = await tokens.create(writer);
    const revoked = await tokens.revoke(record.id);
    expect(revoked).toMatchObject({ id: record.id, revokedAt: expect.any(String) as string });
    expect(() => tokens.authenticate(secret, "write")).toThrow(unknown);
    await tokens.close();
    await temp.reopen();
    tokens = await TokenStore.open(temp.log);
    expect(() => tokens.authenticate(secret, "write")).toThrow(unknown);
    expect(tokens.list()).toEqual([revoked]);
  });

  test("twice is harmless, and keeps the first time", async () => {
    const { record } = await tokens.create(writer);
    const first = await tokens.revoke(record.id);
    await sleep(5);
    expect(await tokens.revoke(record.id)).toEqual(first);
  });

  test("an unknown id is an error", async () => {
    await expect(tokens.revoke("nobody")).rejects.toThrow(
      refused("NOT_FOUND", 'no token has the id "nobody"'),
    );
  });

  test("one token leaves the others alone", async () => {
    const [one, other] = [await tokens.create(writer), await tokens.create(writer)];
    await tokens.revoke(one.record.id);
    expect(isGood(tokens, other.secret)).toBe(true);
  });
});

describe("one secret of two tokens", () => {
  const secret = "11111111-2222-3333-4444-555555555555";

  test("is the key of each of its kinds, and of no other", async () => {
    await tokens.create({ ...reader, kind: "loggly-input", secret });
    await tokens.create({ ...reader, kind: "loggly-api", customer: "other", secret });
    expect(tokens.authenticate(secret, "loggly-input").customer).toBe("acme");
    expect(tokens.authenticate(secret, "loggly-api").customer).toBe("other");
    expect(() => tokens.authenticate(secret, "read")).toThrow("expected read");
  });

  test("of one kind is the newer's; when that is revoked, the older's again", async () => {
    const older = await tokens.create({ ...writer, secret });
    const newer = await tokens.create({ ...writer, secret });
    expect(tokens.authenticate(secret, "write").tokenId).toBe(newer.record.id);
    await tokens.revoke(newer.record.id);
    expect(tokens.authenticate(secret, "write").tokenId).toBe(older.record.id);
    await tokens.revoke(older.record.id);
    expect(isGood(tokens, secret)).toBe(false);
  });
});

describe("a token of an id that exists", () => {
  test("takes the place of the former one, whose secret is worth nothing then", async () => {
    const former = await tokens.create({ ...writer, id: "mine" });
    const next = await tokens.create({ ...writer, id: "mine" });
    expect(isGood(tokens, former.secret)).toBe(false);
    expect(isGood(tokens, next.secret)).toBe(true);
    expect(tokens.list()).toEqual([next.record]);
  });
});

describe("a token from the environment", () => {
  const given = {
    ...writer,
    id: "environment-write-acme",
    secret: "a-secret-from-the-environment",
  };

  test("is made once: the same at the next start is not written again", async () => {
    await tokens.ensure(given);
    const [first] = tokens.list();
    await tokens.ensure(given);
    expect(tokens.list()).toEqual([first]);
    expect(tokens.authenticate(given.secret, "write").tokenId).toBe(given.id);
  });

  test("takes the place of the one before it", async () => {
    await tokens.ensure(given);
    await tokens.ensure({ ...given, secret: "another-secret-altogether" });
    expect(isGood(tokens, given.secret)).toBe(false);
    expect(isGood(tokens, "another-secret-altogether")).toBe(true);
  });

  // LOGBOOM_CUSTOMER was changed and changed back: two records then have one secret, and the one written
  // last is not the one that the environment names.
  test("is the customer's that the environment names, also when it had named another meanwhile", async () => {
    await tokens.ensure(given);
    await tokens.ensure({ ...given, customer: "beta", id: "environment-write-beta" });
    expect(tokens.authenticate(given.secret, "write").customer).toBe("beta");
    await tokens.ensure(given);
    expect(tokens.authenticate(given.secret, "write").customer).toBe("acme");
  });

  // Two records of one secret again: what replaces one of them takes the other's entry away.
  test("goes on working when another token of the same secret is replaced", async () => {
    await tokens.ensure(given);
    await tokens.create({ ...writer, id: "other", secret: given.secret });
    await tokens.create({ ...writer, id: "other" });
    expect(isGood(tokens, given.secret)).toBe(true);
  });
});

describe("another process's store on the same log", () => {
  test("learns of tokens and revocations within a second", async () => {
    const other = await TokenStore.open(temp.log);
    try {
      const { secret, record } = await tokens.create(writer);
      await within(1000, () => isGood(other, secret));
      expect(other.list()).toEqual([record]);
      await tokens.revoke(record.id);
      await within(1000, () => !isGood(other, secret));
      const back = await other.create(reader);
      await within(1000, () => tokens.list().some(({ id }) => id === back.record.id));
    } finally {
      await other.close();
    }
  });

  test("knows all tokens from its start", async () => {
    const { secret } = await tokens.create(writer);
    const other = await TokenStore.open(temp.log);
    expect(isGood(other, secret)).toBe(true);
    await other.close();
  });

  test("passes over records that a later version wrote, or that are damaged", async () => {
    const base = (await tokens.create(reader)).record;
    await tokens.revoke(base.id);
    const later = { ...base, id: "later", kind: "of-a-later-version" };
    for (const [key, value] of [
      ["limit/acme", JSON.stringify({ type: "limit", customer: "acme", events: 5 })],
      ["token/later", JSON.stringify(later)],
      ["token/damaged", '{"type":"token",'],
      ["token/removed", ""],
    ] as const) {
      await temp.log.append([{ stream: "accounts", partition: 0, key, value: Buffer.from(value) }]);
    }
    const { secret } = await tokens.create(writer);
    const other = await TokenStore.open(temp.log);
    expect(other.list()).toHaveLength(2);
    expect(isGood(other, secret)).toBe(true);
    await other.close();
  });

  // As a log gives them that keeps more than the last of a key.
  test("is not moved by a record older than what it knows", async () => {
    const { record, secret } = await tokens.create(writer);
    await tokens.revoke(record.id);
    const value = Buffer.from(JSON.stringify(record));
    await temp.log.append([{ stream: "accounts", partition: 0, key: "token/copy", value }]);
    const marker = await tokens.create(reader);
    const other = await TokenStore.open(temp.log);
    expect(other.list().map(({ id }) => id)).toContain(marker.record.id);
    expect(isGood(other, secret)).toBe(false);
    await other.close();
  });

  test("reads records as they were before keys had more kinds", async () => {
    const secretSha256 = createHash("sha256").update("an-old-secret-of-acme").digest("hex");
    const old = { ...writer, type: "token", id: "old", secretSha256 };
    const value = Buffer.from(JSON.stringify({ ...old, createdAt: "2026-01-01T00:00:00.000Z" }));
    await temp.log.append([{ stream: "accounts", partition: 0, key: "token/old", value }]);
    const other = await TokenStore.open(temp.log);
    expect(other.authenticate("an-old-secret-of-acme", "write")).toEqual({
      tokenId: "old",
      kind: "write",
      customer: "acme",
      prefixes: ["web", "", "", ""],
    });
    await other.revoke("old");
    expect(isGood(other, "an-old-secret-of-acme")).toBe(false);
    await other.close();
  });
});

// Nor may the file's free space hold what the process's memory did: LMDB without initialised pages (noMemInit)
// writes whatever was freed last, which is how this test first found a secret.
test("no secret is in any file of the log, in no form that can be turned back", async () => {
  const secrets = [
    (await tokens.create(writer)).secret,
    (await tokens.create(reader)).secret,
    (await tokens.create({ ...writer, secret: "given-by-an-operator" })).secret,
  ];
  await tokens.ensure({ ...writer, id: "e", secret: "given-by-the-environment" });
  const [first] = tokens.list();
  await tokens.revoke(first?.id ?? "");
  await tokens.close();
  await temp.log.close();
  const files = readdirSync(temp.dir, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
  // The records are there …
  expect(bytes.includes(`"customer":"acme"`)).toBe(true);
  expect(bytes.includes(first?.secretSha256 ?? "none")).toBe(true);
  // … and no secret is.
  for (const secret of [...secrets, "given-by-the-environment"]) {
    const random = secret.replace(/^lb_(read|write)_/, "");
    expect(bytes.includes(random)).toBe(false);
    expect(bytes.includes(Buffer.from(secret).toString("base64").slice(4, 20))).toBe(false);
    expect(bytes.includes(Buffer.from(random, "base64url"))).toBe(false);
  }
  await temp.reopen();
  tokens = await TokenStore.open(temp.log);
});
