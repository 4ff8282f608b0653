// What one edge counted of one key in one window: a record of the usage stream.
import { z } from "zod";
import { customerId, endpointFamilies } from "../../schemas/token.ts";

/** An hour after its window has ended, a record is in the store, and leaves the stream. */
export const KEPT_AFTER_MS = 3_600_000;

const count = z.int().nonnegative();

const usageRecord = z.object({
  type: z.literal("usage"),
  /** The process that counted. */
  edge: z.string().min(1),
  tokenId: z.string().min(1),
  family: z.enum(endpointFamilies),
  /** ms since the epoch */
  windowStart: count,
  windowMs: z.int().positive(),
  /** Answered, or taken in beyond the limit. */
  requests: count,
  /** Refused on account of the limit. */
  refused: count.default(0),
  events: count.default(0),
  /** Of the events, encoded. */
  bytes: count.default(0),
  /** Whose consumption it is, of kinds of keys whose hours are kept in the store. */
  account: z
    .object({
      customer: customerId,
      environment: z.string(),
      /** Of the window; 0 when requests are not limited. */
      limit: count,
    })
    .optional(),
});
export type UsageRecord = z.infer<typeof usageRecord>;
export type Figures = Pick<UsageRecord, "requests" | "refused" | "events" | "bytes">;
export type Account = NonNullable<UsageRecord["account"]>;

/** What is counted together. */
export type UsageWindow = Pick<UsageRecord, "tokenId" | "family" | "windowStart" | "windowMs"> & {
  readonly account?: Account | undefined;
};

/** Each window has a record of its own: the next one's does not take its place before it is in the store. */
export function usageKey({ edge, tokenId, family, windowStart }: UsageRecord): string {
  return `${edge}/${tokenId}/${family}/${windowStart}`;
}

/** Undefined for what a later version wrote, or what cannot be read. */
export function parseUsage(value: Buffer): UsageRecord | undefined {
  try {
    return usageRecord.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
