// The record of a token in the account stream.
import { z } from "zod";

export const tokenKinds = ["write", "read"] as const;
export type TokenKind = (typeof tokenKinds)[number];

export const customerId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, . _ or -");

/** What a token is, without its secret: only the SHA-256 of it is kept. */
export const tokenRecord = z.object({
  type: z.literal("token"),
  id: z.string().min(1),
  kind: z.enum(tokenKinds),
  customer: customerId,
  /** The labels that it may write, or read, start with these; empty allows all. */
  prefixes: z.tuple([z.string(), z.string(), z.string(), z.string()]),
  secretSha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
});

export type TokenRecord = z.infer<typeof tokenRecord>;
