// An event as Logentries shows it.
import type { FoundEvent } from "../ask/question.ts";
import { exactNumber } from "../exchange/exact-number.ts";
import { EventReader } from "../language/event-reader.ts";
import type { LeqlQuery } from "../language/leql.ts";
import type { KnownLog } from "./catalog.ts";

const NS_PER_MS = 1_000_000n;

export function toLeqlEvent(
  event: FoundEvent,
  logs: readonly KnownLog[],
  select: LeqlQuery["select"],
  base: string,
) {
  const timestamp = Number(event.time / NS_PER_MS);
  const sequence = String(event.ingested);
  const [logset, name] = event.prefixes;
  const log = logs.find(({ labels }) => labels.logset === logset && labels.log === name);
  const id = log?.id ?? "";
  return {
    labels: [],
    timestamp,
    // Beyond what a JavaScript number holds, and written exactly all the same.
    sequence_number: exactNumber(sequence),
    sequence_number_str: sequence,
    log_id: id,
    message: select.length === 0 ? event.message : selected(event, select),
    links: [
      {
        rel: "Context",
        href: `${base}/query/context/${sequence}?timestamp=${timestamp}&log_keys=${id}`,
      },
    ],
  };
}

/** Only the keys of select(), as JSON. */
function selected(event: FoundEvent, select: LeqlQuery["select"]): string {
  const reader = new EventReader({ ...event, message: Buffer.from(event.message) });
  return JSON.stringify(
    Object.fromEntries(
      select.flatMap(({ as, field }) => {
        const [text] = reader.texts(field);
        return text === undefined ? [] : [[as, text]];
      }),
    ),
  );
}
