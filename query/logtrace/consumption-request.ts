// What a request for consumption asks: whole hours, whose, and from which row on.
import { z } from "zod";
import { denied, requireEnvironment, type Principal } from "../../ingest/keys/permission.ts";
import { openId, sealId } from "../ask/opaque.ts";
import { badParameter, textParameter, wholeParameter } from "../exchange/parameters.ts";
import { parseRelativeTime, relativeTimeForms } from "../exchange/relative-time.ts";

const NS_PER_HOUR = 3_600_000_000_000n;
const MAX_HOURS = 24 * 366;
const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 10_000;

/** Rows are in the order of newest hour, environment, key. */
export interface RowPlace {
  readonly hour: number;
  readonly environment: string;
  readonly key: string;
}

export interface ConsumptionRequest {
  readonly customer: string;
  /** Hours since 1970; both are included. */
  readonly first: number;
  readonly last: number;
  readonly environment: string | undefined;
  /** What environments begin with. */
  readonly environmentPrefix: string;
  readonly key: string | undefined;
  readonly limit: number;
  /** The last row of the page before. */
  readonly after: RowPlace | undefined;
}

const place = z.object({ hour: z.int32(), environment: z.string(), key: z.string() });

/** @throws LogboomError BAD_REQUEST, NO_PERMISSION */
export function readConsumptionRequest(
  principal: Principal,
  query: URLSearchParams,
  nowMs: number,
): ConsumptionRequest {
  const readHour = (name: string, fallback: string): number => {
    const text = textParameter(query, name) ?? fallback;
    const time = parseRelativeTime(text, nowMs);
    if (time === undefined) throw badParameter(name, text, relativeTimeForms);
    return Number(time / NS_PER_HOUR);
  };
  const first = readHour("from", "-24h");
  const last = readHour("to", "now");
  if (last < first || last - first > MAX_HOURS) {
    const from = textParameter(query, "from") ?? "-24h";
    throw badParameter("from", from, `a time before "to", by ${MAX_HOURS} hours at most`);
  }
  const cursor = textParameter(query, "cursor");
  const after = cursor === undefined ? undefined : openId(scopeOf(principal), cursor, place);
  if (cursor !== undefined && after === undefined) {
    throw badParameter("cursor", cursor, "the next_cursor of an answer");
  }
  return {
    customer: principal.customer,
    first,
    last,
    ...readEnvironment(principal, textParameter(query, "environment")),
    key: textParameter(query, "key"),
    limit: wholeParameter(query, "limit", { fallback: DEFAULT_LIMIT, min: 1, max: MAX_LIMIT }),
    after,
  };
}

export function sealPlace(principal: Principal, { hour, environment, key }: RowPlace): string {
  return sealId(scopeOf(principal), { hour, environment, key });
}

function scopeOf({ customer }: Principal) {
  return { customer, use: "logtrace-consumption" };
}

/** Its own environment for a LogTrace key; for a native read key, those that its labels allow. */
function readEnvironment(principal: Principal, named: string | undefined) {
  if (principal.environment !== undefined) {
    if (named !== undefined) requireEnvironment(principal, named);
    return { environment: principal.environment, environmentPrefix: "" };
  }
  const [environmentPrefix, ...others] = principal.prefixes;
  const isOutside = named !== undefined && !named.startsWith(environmentPrefix);
  // A key counts for all of its services, levels and doors.
  if (isOutside || others.some((prefix) => prefix !== "")) {
    throw denied("NO_PERMISSION", "wrong-environment", "the token is for a part of the labels", {
      field: "environment",
    });
  }
  return { environment: named, environmentPrefix };
}
