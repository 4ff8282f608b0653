// What a token's record may hold.
import { describe, expect, test } from "vitest";
import { tokenRecord, type TokenRecord } from "../../schemas/token.ts";

const record: TokenRecord = {
  type: "token",
  id: "first",
  kind: "write",
  customer: "acme",
  prefixes: ["web", "", "", ""],
  secretSha256: "0".repeat(64),
  createdAt: "2026-05-01T12:00:00.000Z",
};

test("a whole record is taken as it is, revoked or not", () => {
  expect(tokenRecord.parse(record)).toEqual(record);
  const revoked = { ...record, revokedAt: "2026-05-02T12:00:00.000Z" };
  expect(tokenRecord.parse(revoked)).toEqual(revoked);
});

test("a record of each kind is taken with what the kind has", () => {
  const { secretSha256: _, ...owner } = { ...record, kind: "logentries-owner" as const };
  const records: TokenRecord[] = [
    { ...record, kind: "logentries-log", logset: "web", log: "access", revision: 3 },
    { ...owner, sealedSecret: "AAAA", account: "22222222-2222-3333-4444-555555555555" },
    {
      ...record,
      kind: "logtrace",
      environment: "staging",
      scopes: ["read:logs"],
      tier: "enterprise",
      limits: { query: 5 },
      expiresAt: "2026-06-01T00:00:00.000Z",
    },
  ];
  for (const one of records) expect(tokenRecord.parse(one)).toEqual(one);
});

describe("a record is refused", () => {
  test.each([
    ["of another type", { type: "limit" }],
    ["without an id", { id: "" }],
    ["of another kind", { kind: "admin" }],
    ["of a customer with a slash", { customer: "a/b" }],
    ["of an empty customer", { customer: "" }],
    ["with three prefixes", { prefixes: ["", "", ""] }],
    ["with the secret in place of its hash", { secretSha256: "lb_write_secret" }],
    ["with a hash in capitals", { secretSha256: "A".repeat(64) }],
    ["of an owner with a hash in place of an encrypted key", { kind: "logentries-owner" }],
    ["with an encrypted secret beside its hash", { sealedSecret: "AAAA" }],
    ["without any secret", { secretSha256: undefined }],
    ["with an unknown scope", { scopes: ["admin"] }],
    ["with a limit for no family", { limits: { other: 1 } }],
    ["with a time that is none", { createdAt: "yesterday" }],
  ])("%s", (_, change) => {
    expect(tokenRecord.safeParse({ ...record, ...change }).success).toBe(false);
  });
});
