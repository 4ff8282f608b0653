// Keys of every kind: the form of their secrets, what each has and has not, and what a principal knows.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TokenStore, type TokenRequest } from "../../../ingest/tokens.ts";
import type { TokenKind } from "../../../schemas/token.ts";
import { openTempLog, type TempLog } from "../log/log-fixture.ts";
import { makeMasterKey } from "./master-key-fixture.ts";

let temp: TempLog;
let tokens: TokenStore;

beforeEach(async () => {
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log, { masterKey: makeMasterKey() });
});

afterEach(async () => {
  await tokens.close();
  await temp[Symbol.asyncDispose]();
});

const none = ["", "", "", ""] as [string, string, string, string];
const request = (kind: TokenKind, more: Partial<TokenRequest> = {}): TokenRequest => ({
  kind,
  customer: "acme",
  prefixes: none,
  ...(kind === "logentries-log" && { logset: "web", log: "access" }),
  ...more,
});

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test.each([
  ["write", /^lb_write_[\w-]{43}$/],
  ["read", /^lb_read_[\w-]{43}$/],
  ["loggly-input", uuid],
  ["loggly-api", uuid],
  ["logentries-log", uuid],
  ["logentries-read", uuid],
  ["logentries-write", uuid],
  ["logentries-owner", uuid],
  ["logtrace", /^lt_live_[0-9a-f]{32}$/],
  ["scalyr-write", /^[\w-]{43}-$/],
  ["scalyr-read", /^[\w-]{43}-$/],
  ["scalyr-config", /^[\w-]{43}-$/],
] as const)("a %s key gets a secret in its vendor's form", async (kind, form) => {
  const [one, other] = [await tokens.create(request(kind)), await tokens.create(request(kind))];
  expect(one.secret).toMatch(form);
  expect(other.secret).not.toBe(one.secret);
  if (kind !== "logentries-owner") {
    expect(tokens.authenticate(one.secret, kind)).toMatchObject({ kind, customer: "acme" });
  }
});

describe("a principal", () => {
  test("of a Logentries log token knows its log", async () => {
    const { secret, record } = await tokens.create(request("logentries-log"));
    expect(tokens.authenticate(secret, "logentries-log")).toEqual({
      tokenId: record.id,
      kind: "logentries-log",
      customer: "acme",
      prefixes: none,
      logset: "web",
      log: "access",
    });
  });

  test("of a LogTrace key knows its environment, scopes, tier and limits", async () => {
    const plain = await tokens.create(request("logtrace"));
    expect(tokens.authenticate(plain.secret, "logtrace")).toMatchObject({
      environment: "production",
      scopes: ["write:logs", "read:logs"],
      tier: "standard",
    });
    const given = {
      environment: "staging",
      scopes: ["read:logs" as const],
      tier: "enterprise" as const,
      limits: { query: 5 },
    };
    const { secret } = await tokens.create(request("logtrace", given));
    expect(tokens.authenticate(secret, "logtrace")).toMatchObject(given);
  });
});

test("all owner keys of a customer are for one account", async () => {
  const make = async (customer: string) =>
    (await tokens.create({ ...request("logentries-owner"), customer })).record.account;
  const first = await make("acme");
  expect(first).toMatch(uuid);
  expect(await make("acme")).toBe(first);
  expect(await make("other")).not.toBe(first);
});

describe("a key is not made", () => {
  test.each<[string, TokenRequest, string]>([
    ["with another kind's option", request("loggly-input", { environment: "x" }), "environment"],
    ["with scopes that it has not", request("scalyr-read", { scopes: ["read:logs"] }), "scopes"],
    ["with a tier that it has not", request("write", { tier: "standard" }), "tier"],
    ["with an account that it has not", request("logentries-read", { account: "x" }), "account"],
    ["with limits that it has not", request("read", { limits: { query: 1 } }), "limits"],
    [
      "with prefixes beside a log",
      request("logentries-log", { prefixes: ["web", "", "", ""] }),
      "prefixes",
    ],
    [
      "without its log",
      { kind: "logentries-log", customer: "acme", prefixes: none, logset: "w" },
      "log",
    ],
    ["for an account that is none", request("logentries-owner", { account: "nope" }), "account"],
    ["with a limit of 0", request("logtrace", { limits: { query: 0 } }), "limits.query"],
    ["with no scope at all", request("logtrace", { scopes: [] }), "scopes"],
    ["for a log that cannot be a label", request("logentries-log", { log: "a\nb" }), "log"],
    ["with an end that is no time", request("write", { expiresAt: "tomorrow" }), "expiresAt"],
    [
      "with a prefix that starts no label",
      request("write", { prefixes: ["\0", "", "", ""] }),
      "prefix0",
    ],
    ["for a customer with a slash", { ...request("write"), customer: "a/b" }, "customer"],
    ["with a secret that is too short", request("write", { secret: "x".repeat(15) }), "secret"],
    ["with a secret that is too long", request("write", { secret: "x".repeat(256) }), "secret"],
    [
      "with a secret that has a space",
      request("write", { secret: "a secret with spaces" }),
      "secret",
    ],
    [
      "with a log token that is no UUID",
      request("logentries-log", { secret: "not-a-uuid-but-long-enough" }),
      "secret",
    ],
  ])("%s", async (_, asked, field) => {
    await expect(tokens.create(asked)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      details: { field },
    });
    expect(tokens.list()).toEqual([]);
  });
});
