// What a principal may do, and the reason of each refusal.
import { describe, expect, test } from "vitest";
import {
  requireCustomer,
  requireEnvironment,
  requireScope,
  type Principal,
} from "../../../ingest/keys/permission.ts";

const principal: Principal = {
  tokenId: "t-1",
  kind: "logtrace",
  customer: "acme",
  prefixes: ["", "", "", ""],
  environment: "production",
  scopes: ["write:logs"],
  tier: "standard",
};

test("what the key allows passes", () => {
  requireScope(principal, "write:logs");
  requireEnvironment(principal, "production");
  requireCustomer(principal, "acme", "read");
});

describe("a refusal names its reason:", () => {
  test.each([
    ["wrong-scope", () => requireScope(principal, "read:logs")],
    ["wrong-scope", () => requireScope({ ...principal, scopes: [] }, "write:logs")],
    ["wrong-environment", () => requireEnvironment(principal, "staging")],
    // The rule of labels, "starts with", would let this pass.
    ["wrong-environment", () => requireEnvironment(principal, "production-2")],
    ["wrong-environment", () => requireEnvironment(principal, "")],
    ["wrong-customer", () => requireCustomer(principal, "acme2", "read")],
    ["wrong-customer", () => requireCustomer(principal, "other", "write")],
  ])("%s", (reason, check) => {
    let thrown: unknown;
    try {
      check();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "NO_PERMISSION", status: 403, details: { reason } });
  });
});
