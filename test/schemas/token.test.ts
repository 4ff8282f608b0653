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
    ["with a time that is none", { createdAt: "yesterday" }],
  ])("%s", (_, change) => {
    expect(tokenRecord.safeParse({ ...record, ...change }).success).toBe(false);
  });
});
