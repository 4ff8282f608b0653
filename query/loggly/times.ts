// The span of time that a request to Loggly names.
import { eventTimeRange } from "../../schemas/time.ts";
import { badParameter, textParameter } from "../exchange/parameters.ts";
import { parseRelativeTime, relativeTimeForms } from "../exchange/relative-time.ts";

/** From 24 hours ago until now, unless told. @throws LogboomError BAD_REQUEST */
export function readSpan(
  query: URLSearchParams,
  nowMs = Date.now(),
): { begin: bigint; end: bigint } {
  const read = (name: string, fallback: string): bigint => {
    const text = textParameter(query, name) ?? fallback;
    const time = parseRelativeTime(text, nowMs);
    if (time === undefined) throw badParameter(name, text, relativeTimeForms);
    // Nothing lies beyond, and ids of searches have room for no more.
    if (time < eventTimeRange.first) return eventTimeRange.first;
    return time > eventTimeRange.end ? eventTimeRange.end : time;
  };
  const begin = read("from", "-24h");
  const end = read("until", "now");
  if (begin > end) {
    throw badParameter("from", textParameter(query, "from") ?? "-24h", 'a time before "until"');
  }
  return { begin, end };
}
