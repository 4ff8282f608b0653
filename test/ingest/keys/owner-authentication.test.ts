// Requests signed with an owner key: who is let in, when, and once.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { signOwnerRequest } from "../../../ingest/keys/owner-signature.ts";
import { TokenStore, type SignedRequest } from "../../../ingest/tokens.ts";
import { tokenKinds } from "../../../schemas/token.ts";
import { openTempLog, type TempLog } from "../log/log-fixture.ts";
import { makeMasterKey } from "./master-key-fixture.ts";

const secret = "44444444-2222-3333-4444-555555555555";
const account = "22222222-2222-3333-4444-555555555555";
const start = Date.parse("Sat, 21 Nov 2026 04:11:45 GMT");
const minute = 60_000;

let temp: TempLog;
let tokens: TokenStore;
let now: number;
let keyId: string;
const masterKey = makeMasterKey();
const open = () => TokenStore.open(temp.log, { masterKey, now: () => now });

beforeEach(async () => {
  now = start;
  temp = await openTempLog();
  tokens = await open();
  const owner = { kind: "logentries-owner", customer: "acme", account, secret } as const;
  keyId = (await tokens.create({ ...owner, prefixes: ["", "", "", ""] })).record.id;
});

afterEach(async () => {
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

/** A request signed at a time, as it comes over the wire. */
function signed(at = now, key = secret, id = keyId, method = "GET"): SignedRequest {
  const content = {
    method,
    contentType: "application/json",
    date: new Date(at).toUTCString(),
    path: `management/accounts/${account}/users`,
    body: Buffer.alloc(0),
  };
  const authorization = `${id}:${signOwnerRequest(key, content)}`;
  return { ...content, path: `/${content.path}`, authorization };
}

const refused = (reason: string) =>
  expect.objectContaining({
    code: "BAD_TOKEN",
    details: expect.objectContaining({ reason }) as unknown,
  }) as Error;

test("the owner is who signs, also after a restart", async () => {
  expect(await tokens.authenticateOwner(signed())).toEqual({
    tokenId: keyId,
    kind: "logentries-owner",
    customer: "acme",
    prefixes: ["", "", "", ""],
    account,
  });
  await tokens.close();
  await temp.reopen();
  tokens = await open();
  now += 1000;
  expect((await tokens.authenticateOwner(signed())).tokenId).toBe(keyId);
});

test("the owner key itself opens nothing", () => {
  for (const kind of tokenKinds) {
    expect(() => tokens.authenticate(secret, kind)).toThrow(refused("unknown"));
  }
});

describe("a request is refused", () => {
  test("when its header is missing or of another form", async () => {
    for (const authorization of [undefined, "", secret, `${keyId}:${secret}`]) {
      await expect(tokens.authenticateOwner({ ...signed(), authorization })).rejects.toThrow(
        refused("missing"),
      );
    }
  });

  test("when another key signed it, an unknown one, or one of another kind", async () => {
    const other = await tokens.create({
      kind: "logentries-write",
      customer: "acme",
      prefixes: ["", "", "", ""],
    });
    for (const request of [
      signed(now, "another-key-than-the-owners"),
      signed(now, secret, "33333333-2222-3333-4444-555555555555"),
      signed(now, other.secret, other.record.id),
      { ...signed(), path: `/management/accounts/${account}/owners` },
    ]) {
      await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("bad-signature"));
    }
  });

  test("when its key was revoked", async () => {
    await tokens.revoke(keyId);
    await expect(tokens.authenticateOwner(signed())).rejects.toThrow(refused("bad-signature"));
  });

  test("when its date is more than 15 minutes off, either way, or is none", async () => {
    for (const offMs of [-15 * minute, 15 * minute]) {
      expect((await tokens.authenticateOwner(signed(start + offMs))).tokenId).toBe(keyId);
      now = start - Math.sign(offMs) * 1000;
      await expect(tokens.authenticateOwner(signed(start + offMs))).rejects.toThrow(
        refused("clock-skew"),
      );
      now = start;
    }
    const content = { ...signed(), date: "soon", path: "x" };
    const authorization = `${keyId}:${signOwnerRequest(secret, content)}`;
    await expect(tokens.authenticateOwner({ ...content, authorization })).rejects.toThrow(
      refused("clock-skew"),
    );
  });

  test("when it is one that came before", async () => {
    const request = signed();
    await tokens.authenticateOwner(request);
    now += 14 * minute;
    await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("replayed"));
    now += 2 * minute;
    await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("clock-skew"));
    expect((await tokens.authenticateOwner(signed())).tokenId).toBe(keyId);
  });

  test("when it changes something and came before, however soon", async () => {
    const request = signed(now, secret, keyId, "POST");
    await tokens.authenticateOwner(request);
    await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("replayed"));
  });

  test("but not when it only reads and comes again within two seconds of its Date", async () => {
    const request = signed();
    for (const later of [0, 0, 1_999]) {
      now = start + later;
      expect((await tokens.authenticateOwner(request)).tokenId).toBe(keyId);
    }
    now = start + 2_000;
    await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("replayed"));
  });

  test("when it is one that came before a restart, or to another store of keys", async () => {
    const request = signed();
    const other = await open();
    await tokens.authenticateOwner(request);
    now += 2_000;
    await expect(other.authenticateOwner(request)).rejects.toThrow(refused("replayed"));
    await other.close();
    await tokens.close();
    await temp.reopen();
    tokens = await open();
    await expect(tokens.authenticateOwner(request)).rejects.toThrow(refused("replayed"));
  });

  test("by a process that does not have the master key: it cannot know", async () => {
    const stranger = await TokenStore.open(temp.log, {
      masterKey: makeMasterKey(),
      now: () => now,
    });
    await expect(stranger.authenticateOwner(signed())).rejects.toThrow(
      "its master key is another one",
    );
    // Nor does it make keys that are good here alone.
    await expect(
      stranger.create({ kind: "logentries-owner", customer: "acme", prefixes: ["", "", "", ""] }),
    ).rejects.toThrow("its master key is another one");
    await stranger.close();
    const without = await TokenStore.open(temp.log, { now: () => now });
    await expect(without.authenticateOwner(signed())).rejects.toThrow("there is no master key");
    await without.close();
  });
});

test("the owner key is in no file of the log, also not its hash", async () => {
  await tokens.close();
  await temp.log.close();
  const bytes = Buffer.concat(
    readdirSync(temp.dir, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name))),
  );
  expect(bytes.includes(account)).toBe(true);
  expect(bytes.includes("sealedSecret")).toBe(true);
  expect(bytes.includes(secret)).toBe(false);
  expect(bytes.includes("secretSha256")).toBe(false);
  await temp.reopen();
  tokens = await open();
});
