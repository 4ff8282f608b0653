// The record of a key in the account stream, and what each kind of key has.
import { z } from "zod";

/** What a key's record may have beside kind and customer. */
export type KeyOption =
  "prefixes" | "environment" | "scopes" | "tier" | "logset" | "log" | "account" | "limits";

/** Every kind of key and the options that it has. */
export const keyKinds = {
  /** The native ingest API. */
  write: ["prefixes"],
  /** The search API. */
  read: ["prefixes"],
  /** Loggly's customer token: ingest alone. */
  "loggly-input": ["prefixes"],
  /** Loggly's API token: retrieval alone. */
  "loggly-api": ["prefixes"],
  /** Logentries' log token: writes one log. */
  "logentries-log": ["logset", "log"],
  /** Logentries' `x-api-key`, read only. */
  "logentries-read": ["prefixes", "limits"],
  /** Logentries' `x-api-key`, read and write. */
  "logentries-write": ["prefixes", "limits"],
  /** Logentries' owner key: signs requests, and is never sent. */
  "logentries-owner": ["account", "limits"],
  logtrace: ["environment", "scopes", "tier", "limits"],
  /** Scalyr's "Write Logs". */
  "scalyr-write": ["prefixes"],
  /** Scalyr's "Read Logs". */
  "scalyr-read": ["prefixes"],
  /** Scalyr's "Write Config": configuration files, and queries as well. */
  "scalyr-config": ["prefixes"],
} as const satisfies Record<string, readonly KeyOption[]>;

export type TokenKind = keyof typeof keyKinds;
export const tokenKinds = Object.keys(keyKinds) as readonly TokenKind[];

/** What a LogTrace key may do. */
export const scopes = ["write:logs", "read:logs"] as const;
export type Scope = (typeof scopes)[number];

/** LogTrace's tiers: how many requests an hour. */
export const tiers = ["standard", "enterprise"] as const;
export type Tier = (typeof tiers)[number];

/** What requests are counted together under a limit. */
export const endpointFamilies = ["ingest", "query", "management"] as const;
export type EndpointFamily = (typeof endpointFamilies)[number];

/** Why a request is refused on account of its key: `details.reason` of BAD_TOKEN and NO_PERMISSION. */
export type DenialReason =
  | "missing"
  /** Unknown, suspended or revoked: which of these, a caller does not learn. */
  | "unknown"
  | "expired"
  | "wrong-kind"
  | "wrong-scope"
  | "wrong-environment"
  | "wrong-customer"
  | "bad-signature"
  | "clock-skew"
  | "replayed";

export const customerId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, . _ or -");

/** It becomes a label of events. */
export const labelName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,255}$/u, "must be 1 to 255 characters without control characters")
  .refine((text) => Buffer.byteLength(text) <= 255, "must have at most 255 bytes");

/** What labels may start with; empty allows all. */
export const labelPrefix = labelName.or(z.literal(""));

/** What a key is, without its secret. */
export const tokenRecord = z
  .object({
    type: z.literal("token"),
    id: z.string().min(1),
    /** Counts the record's replacements, so that an older one that is read later changes nothing. */
    revision: z.int().nonnegative().optional(),
    kind: z.enum(tokenKinds),
    /** What its maker calls it. */
    name: z.string().max(200).optional(),
    customer: customerId,
    /** The labels that it may write, or read, start with these; empty allows all. */
    prefixes: z.tuple([z.string(), z.string(), z.string(), z.string()]),
    environment: labelName.optional(),
    scopes: z.array(z.enum(scopes)).min(1).optional(),
    tier: z.enum(tiers).optional(),
    logset: labelName.optional(),
    log: labelName.optional(),
    /** Logentries' id of the account that the owner key is for. */
    account: z.guid().optional(),
    /** Requests in a window, in place of what the kind and the tier allow. */
    limits: z.partialRecord(z.enum(endpointFamilies), z.int().positive()).optional(),
    /** Of every secret that is sent as it is. */
    secretSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
    /** Of an owner key, which is needed in clear to check a signature: encrypted, base64. */
    sealedSecret: z.base64().min(1).optional(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().optional(),
    /** It is good for nothing until it is made active again. */
    suspendedAt: z.iso.datetime().optional(),
    /** For good. */
    revokedAt: z.iso.datetime().optional(),
  })
  .refine(
    ({ kind, secretSha256, sealedSecret }) =>
      (secretSha256 === undefined) === (kind === "logentries-owner") &&
      (sealedSecret === undefined) === (kind !== "logentries-owner"),
    "an owner key has an encrypted secret, any other key the hash of its secret",
  );

export type TokenRecord = z.infer<typeof tokenRecord>;

/** When a key was last used, in a record of its own so that it never undoes a change of the key. */
export const lastUseRecord = z.object({
  type: z.literal("last-use"),
  tokenId: z.string().min(1),
  /** ms since the epoch */
  at: z.int().nonnegative(),
});
