// A search as what a monitor looks at: an event is a line.
import { LogboomError } from "../../../schemas/errors.ts";
import { UsageError } from "../../cli-call.ts";
import { clientOptions, readApi, readPrefixes, readTime, refuseMore } from "../client-options.ts";
import { readCustomer } from "../query-command.ts";
import { readToken } from "../secret.ts";
import { requireAllBlocks, searchAll, type SearchCall } from "../search-call.ts";
import type { Sections } from "./sections.ts";
import type { Source } from "./source.ts";

const MAX_EVENTS = 10_000;
const DEFAULT_FROM = "now - 15m";

export function readQuerySource(sections: Sections): Source {
  const { values, positionals } = sections.read({
    options: {
      ...clientOptions,
      customer: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
    },
    words: 2,
    until: ["count", "changed"],
  });
  const [, regex, token] = positionals;
  if (regex === undefined) throw new UsageError("the source query takes a REGEX");
  refuseMore(positionals, 3, "the source query takes a REGEX and a TOKEN");
  const { from = DEFAULT_FROM, to } = values;
  // Once now, so that a wrong call is refused; then anew for each run.
  const times = () => ({
    begin: readTime("--from", from, Date.now()),
    end: to === undefined ? undefined : readTime("--to", to, Date.now()),
  });
  times();
  const call = {
    api: readApi(values),
    token: readToken(token, "L24_READ_TOKEN"),
    customer: readCustomer(values.customer),
    regex,
    prefixes: readPrefixes(values),
  };
  const ask = async (parts: Pick<SearchCall, "type" | "limit">) => {
    const reply = await searchAll({ ...call, ...parts, ...times() });
    requireAllBlocks(reply);
    return reply;
  };
  return {
    name: `query ${regex}`,
    countLines: async () => {
      const { counts } = await ask({ type: "EXACT_COUNTS_BINNED" });
      return counts.reduce((sum, count) => sum + count, 0);
    },
    readText: async () => {
      const { events } = await ask({ type: "BACKWARD_RESULTS", limit: MAX_EVENTS });
      if (events.length >= MAX_EVENTS) {
        throw new LogboomError(
          "TOO_LARGE",
          `${MAX_EVENTS} events or more match: their text is not read; narrow the pattern or the time`,
        );
      }
      return events
        .map(({ message }) => `${message}\n`)
        .toReversed()
        .join("");
    },
  };
}
