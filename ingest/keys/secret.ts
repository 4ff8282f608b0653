// Secrets of keys: made in the vendor's own form, checked when taken over, and hashed.
import { hash, randomBytes, randomUUID } from "node:crypto";
import { LogboomError } from "../../schemas/errors.ts";
import type { TokenKind } from "../../schemas/token.ts";

/** A new secret; native ones have their kind in front, so that people can tell them apart. */
export function newSecret(kind: TokenKind): string {
  switch (kind) {
    case "write":
    case "read":
      return `lb_${kind}_${randomBytes(32).toString("base64url")}`;
    case "loggly-input":
    case "loggly-api":
    case "logentries-log":
    case "logentries-read":
    case "logentries-write":
    case "logentries-owner":
      return randomUUID();
    case "logtrace":
      return `lt_live_${randomBytes(16).toString("hex")}`;
    case "scalyr-write":
    case "scalyr-read":
    case "scalyr-config":
      // The vendor's are URL-safe base64 of 43 characters and a dash.
      return `${randomBytes(32).toString("base64url")}-`;
  }
}

const MIN_LENGTH = 16;
const MAX_LENGTH = 255;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws LogboomError BAD_REQUEST for a secret that no client could send; it is not repeated. */
export function checkSecret(kind: TokenKind, secret: string): void {
  const isPrintable = /^[\x21-\x7e]*$/.test(secret);
  if (!isPrintable || secret.length < MIN_LENGTH || secret.length > MAX_LENGTH) {
    throw new LogboomError(
      "BAD_REQUEST",
      `a secret must be ${MIN_LENGTH} to ${MAX_LENGTH} printable ASCII characters without spaces; this has ${secret.length}`,
      { details: { field: "secret", limit: MAX_LENGTH } },
    );
  }
  // On a raw connection nothing but its form tells where the token ends.
  if (kind === "logentries-log" && !UUID.test(secret)) {
    throw new LogboomError("BAD_REQUEST", "the secret of a logentries-log key must be a UUID", {
      details: { field: "secret" },
    });
  }
}

/**
 * One round without a salt: secrets are random, 122 bits and more, so that there is nothing to look up in a
 * table, and every request has to hash one.
 */
export function hashSecret(secret: string): Buffer {
  return hash("sha256", secret, "buffer");
}
