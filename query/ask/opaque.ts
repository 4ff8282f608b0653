// Ids that hold what they stand for, so that any query process, also one started anew, can serve them.
import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { z } from "zod";

/** A query of the largest size, and room for the rest. */
const MAX_BYTES = 256 * 1024;
const CHECK_LENGTH = 12;

/** A bigint as an id holds it. Times of the years 1 and 9999 lie beyond 64 bits. */
export const writtenBigint = z
  .string()
  .regex(/^-?\d{1,24}$/)
  .transform(BigInt);

/** What an id holds beside its content: it is good for one customer and one use. */
export interface OpaqueScope {
  readonly customer: string;
  readonly use: string;
}

/** Letters, digits, `-` and `_`; bigints must have been written as texts. */
export function sealId(scope: OpaqueScope, content: unknown): string {
  const bytes = deflateRawSync(JSON.stringify(content));
  return checkOf(scope, bytes) + bytes.toString("base64url");
}

/**
 * The content of an id; undefined when it is none, or another customer's. The check is no signature: whoever
 * makes an id asks what their key lets them ask anyway.
 */
export function openId<Content>(
  scope: OpaqueScope,
  id: string,
  schema: z.ZodType<Content>,
): Content | undefined {
  const bytes = Buffer.from(id.slice(CHECK_LENGTH), "base64url");
  if (id.slice(0, CHECK_LENGTH) !== checkOf(scope, bytes)) return undefined;
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: MAX_BYTES }).toString("utf8");
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function checkOf({ customer, use }: OpaqueScope, bytes: Buffer): string {
  return createHash("sha256")
    .update(`${use}\0${customer}\0`)
    .update(bytes)
    .digest("hex")
    .slice(0, CHECK_LENGTH);
}
