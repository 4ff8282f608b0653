// Logentries' owner signature: the header `authorization-api-key: KEYID:SIGNATURE` beside `Date`.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a signature covers, as it came over the wire. */
export interface SignedContent {
  readonly method: string;
  /** The header's exact value; empty when absent. */
  readonly contentType: string;
  /** The header's exact value. */
  readonly date: string;
  /** Of the request's target, with or without its query string. */
  readonly path: string;
  readonly body: Buffer;
}

/** How far a request's Date may be from the clock, either way. */
export const MAX_SKEW_MS = 15 * 60_000;

/**
 * base64 of HMAC-SHA1 over method, content type, date, path and base64 of the body's SHA-256.
 *
 * @param ownerKey the UUID as text
 * @param path without a query string; the vendor signs it without slashes around it
 */
export function signOwnerRequest(
  ownerKey: string,
  { method, contentType, date, path, body }: SignedContent,
): string {
  const bodyHash = createHash("sha256").update(body).digest("base64");
  return createHmac("sha1", ownerKey)
    .update(method + contentType + date + path + bodyHash)
    .digest("base64");
}

/** Whether the signature is that of the content, also where its signer left the path's first slash on. */
export function isOwnerSignature(
  ownerKey: string,
  content: SignedContent,
  signature: string,
): boolean {
  const path = content.path.replace(/[?#].*$/s, "").replace(/^\/+|\/+$/g, "");
  const [plain, slashed] = [path, `/${path}`].map((path) =>
    isSame(signOwnerRequest(ownerKey, { ...content, path }), signature),
  );
  return plain === true || slashed === true;
}

/** The key's id and the signature; undefined when the header is none of this form. */
export function readOwnerHeader(
  header: string | undefined,
): { readonly keyId: string; readonly signature: string } | undefined {
  const match = /^\s*([^:\s]{1,100}):([A-Za-z0-9+/]{27}=)\s*$/.exec(header ?? "");
  const [, keyId, signature] = match ?? [];
  return keyId === undefined || signature === undefined ? undefined : { keyId, signature };
}

/** The header's time in ms since the epoch; undefined when it is none. */
export function readDateHeader(date: string): number | undefined {
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}

function isSame(expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}
