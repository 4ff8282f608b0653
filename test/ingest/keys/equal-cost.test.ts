// What a refused key costs says nothing about it: whatever is wrong with it, the same cryptography is done.
import * as crypto from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { signOwnerRequest } from "../../../ingest/keys/owner-signature.ts";
import { TokenStore } from "../../../ingest/tokens.ts";
import { openTempLog, type TempLog } from "../log/log-fixture.ts";
import { makeMasterKey } from "./master-key-fixture.ts";

const counted = [
  "hash",
  "timingSafeEqual",
  "createHmac",
  "createHash",
  "createDecipheriv",
] as const;

// The real functions, which are watched.
vi.mock("node:crypto", async (original) => {
  const real = await original<typeof crypto>();
  return {
    ...real,
    hash: vi.fn<typeof crypto.hash>(real.hash),
    timingSafeEqual: vi.fn<typeof crypto.timingSafeEqual>(real.timingSafeEqual),
    createHmac: vi.fn<typeof crypto.createHmac>(real.createHmac),
    createHash: vi.fn<typeof crypto.createHash>(real.createHash),
    createDecipheriv: vi.fn<typeof crypto.createDecipheriv>(real.createDecipheriv),
  };
});

const shared = { customer: "acme", prefixes: ["", "", "", ""] as [string, string, string, string] };
const ownerKey = "44444444-2222-3333-4444-555555555555";
let temp: TempLog;
let tokens: TokenStore;

beforeAll(async () => {
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log, { masterKey: makeMasterKey() });
});

afterAll(async () => {
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

beforeEach(() => vi.clearAllMocks());

/** How often each function was called while a key was looked at. */
async function costOf(look: () => unknown): Promise<Record<string, number>> {
  vi.clearAllMocks();
  try {
    await look();
  } catch {
    // Most are refused.
  }
  return Object.fromEntries(
    counted.map((name) => [name, vi.mocked(crypto[name]).mock.calls.length]),
  );
}

test("a secret is hashed once and compared once, whether it is good, unknown, revoked, expired or of another kind", async () => {
  const good = await tokens.create({ ...shared, kind: "write" });
  const revoked = await tokens.create({ ...shared, kind: "write" });
  await tokens.revoke(revoked.record.id);
  const expired = await tokens.create({
    ...shared,
    kind: "write",
    expiresAt: "2001-01-01T00:00:00.000Z",
  });
  const read = await tokens.create({ ...shared, kind: "read" });
  const secrets = [good, revoked, expired, read].map(({ secret }) => secret);
  for (const secret of [...secrets, "made-up-secret-0000", `${good.secret}x`]) {
    const cost = await costOf(() => tokens.authenticate(secret, "write", "192.0.2.1"));
    expect(cost).toMatchObject({ hash: 1, timingSafeEqual: 1 });
  }
});

test("a signature is checked the same whether its key is known, unknown, revoked, expired or no owner's", async () => {
  const owner = { ...shared, kind: "logentries-owner", secret: ownerKey } as const;
  const good = await tokens.create(owner);
  const revoked = await tokens.create(owner);
  await tokens.revoke(revoked.record.id);
  const expired = await tokens.create({ ...owner, expiresAt: "2001-01-01T00:00:00.000Z" });
  const other = await tokens.create({ ...shared, kind: "write" });
  const wrong = "55555555-2222-3333-4444-555555555555";
  const costs: Record<string, number>[] = [];
  for (const key of ["never-made", good, revoked, expired, other]) {
    // The known key's own signature is not refused, and is remembered.
    for (const signedWith of key === good ? [wrong] : [wrong, ownerKey]) {
      const content = {
        method: "GET",
        contentType: "application/json",
        date: new Date().toUTCString(),
        path: "management/accounts",
        body: Buffer.alloc(0),
      };
      const id = typeof key === "string" ? key : key.record.id;
      const authorization = `${id}:${signOwnerRequest(signedWith, content)}`;
      const request = { ...content, authorization };
      costs.push(await costOf(() => tokens.authenticateOwner(request, "192.0.2.2")));
    }
  }
  expect(costs[0]).toMatchObject({ createDecipheriv: 1, createHmac: 2, timingSafeEqual: 2 });
  for (const cost of costs.slice(1)) expect(cost).toEqual(costs[0]);
});
