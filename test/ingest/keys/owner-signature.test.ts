// The signature of Logentries' owner keys: its vectors, and what else is and is not one.
import { describe, expect, test } from "vitest";
import {
  isOwnerSignature,
  readOwnerHeader,
  signOwnerRequest,
  type SignedContent,
} from "../../../ingest/keys/owner-signature.ts";

const ownerKey = "44444444-2222-3333-4444-555555555555";
const account = "22222222-2222-3333-4444-555555555555";
const content: SignedContent = {
  method: "GET",
  contentType: "application/json",
  date: "Sat, 21 Nov 2026 04:11:45 GMT",
  path: `management/accounts/${account}/users`,
  body: Buffer.alloc(0),
};
const newUser = '{"user": {"email": "j@s.com", "first_name": "John", "last_name": "Smith"}}';

// The first was emitted by the vendor's command line; all were checked with openssl.
const vectors: [string, Partial<SignedContent>, string][] = [
  ["a GET without a body", {}, "kAcQcsV8NHNTyhy6gdPS/yOyO5k="],
  ["a POST", { method: "POST", body: Buffer.from(newUser) }, "0DshRpDOL6neDJu5/F4RZ32xNdw="],
  [
    "a DELETE",
    {
      method: "DELETE",
      path: `management/accounts/${account}/apikeys/55555555-2222-3333-4444-555555555555`,
    },
    "UAMjc050gFXeYZu/xX79D1HOqT8=",
  ],
  ["a path with its slash", { path: `/${content.path}` }, "Elb8Kn/ViMiux3QgSBEdnR0ZsY0="],
];

test.each(vectors)("%s is signed as in the specification", (_, change, signature) => {
  expect(signOwnerRequest(ownerKey, { ...content, ...change })).toBe(signature);
});

test.each(vectors)("the signature of %s is accepted", (_, change, signature) => {
  const signed = { ...content, ...change };
  expect(isOwnerSignature(ownerKey, signed, signature)).toBe(true);
  // As it comes over the wire: with a slash, perhaps with one at the end and with a query.
  const plain = signed.path.replace(/^\//, "");
  for (const path of [`/${plain}`, `/${plain}/`, `/${plain}?a=1&b=/x/`]) {
    expect(isOwnerSignature(ownerKey, { ...signed, path }, signature), path).toBe(true);
  }
});

describe("the signature of another request is not accepted:", () => {
  test.each<[string, Partial<SignedContent>]>([
    ["another method", { method: "DELETE" }],
    ["the method in lower case", { method: "get" }],
    ["another path", { path: `/management/accounts/${account}/owners` }],
    ["no content type", { contentType: "" }],
    ["a content type with a charset", { contentType: "application/json; charset=utf-8" }],
    ["the same time in other words", { date: "Sat, 21 Nov 2026 04:11:45 +0000" }],
    ["a body", { body: Buffer.from("{}") }],
  ])("%s", (_, change) => {
    const signature = "kAcQcsV8NHNTyhy6gdPS/yOyO5k=";
    expect(isOwnerSignature(ownerKey, { ...content, ...change }, signature)).toBe(false);
  });

  test("another key, and nonsense in its place", () => {
    const other = "54444444-2222-3333-4444-555555555555";
    expect(isOwnerSignature(other, content, "kAcQcsV8NHNTyhy6gdPS/yOyO5k=")).toBe(false);
    for (const wrong of ["", "kAcQcsV8NHNTyhy6gdPS/yOyO5k", "é".repeat(28), ownerKey]) {
      expect(isOwnerSignature(ownerKey, content, wrong), wrong).toBe(false);
    }
  });
});

test("a request without a content type is signed with an empty one", () => {
  const bare = { ...content, contentType: "" };
  const signature = signOwnerRequest(ownerKey, bare);
  expect(isOwnerSignature(ownerKey, { ...bare, path: `/${bare.path}` }, signature)).toBe(true);
});

test("the header is an id and a signature", () => {
  const keyId = "33333333-2222-3333-4444-555555555555";
  const signature = "+rh3x+x83mq9CAaocb/orkCuE5A=";
  expect(readOwnerHeader(`${keyId}:${signature}`)).toEqual({ keyId, signature });
  expect(readOwnerHeader(` ${keyId}:${signature} `)).toEqual({ keyId, signature });
  for (const wrong of [
    undefined,
    "",
    keyId,
    `:${signature}`,
    `${keyId}:`,
    `${keyId}:${ownerKey}`,
  ]) {
    expect(readOwnerHeader(wrong)).toBeUndefined();
  }
});
