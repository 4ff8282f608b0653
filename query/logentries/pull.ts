// The older pull API: the lines of a log by the names of host and log, the key in the path.
import type { Exchange, Reply } from "../exchange/exchange.ts";
import { textParameter, wholeParameter } from "../exchange/parameters.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import type { LogboomError } from "../../schemas/errors.ts";
import { notFound } from "./access.ts";
import type { Catalog } from "./catalog.ts";
import { eventsOf, linesOf, readFilter } from "./download.ts";
import { questionOf } from "./query.ts";
import { readDuring } from "./times.ts";

/** GET `/KEY/hosts/HOST/LOG/?start=&end=&filter=&limit=` */
export async function pullLines(
  {
    tokens,
    limits,
    engine,
    catalog,
  }: Pick<VendorOptions, "tokens" | "limits" | "engine"> & { readonly catalog: Catalog },
  exchange: Exchange,
): Promise<Reply> {
  const { query, params, address } = exchange;
  const { key, host = "", log: name = "" } = params;
  const principal = tokens.authenticate(
    key,
    ["logentries-read", "logentries-write", "read"],
    address,
  );
  limits.require(principal, "query");
  const logs = (await catalog.logs(principal)).filter(
    ({ labels, name: shown }) => labels.logset === host && (labels.log === name || shown === name),
  );
  if (logs.length === 0) throw notFound("log", `${host}/${name}`);
  const during = readDuring(
    { from: textParameter(query, "start") ?? "0", to: textParameter(query, "end") },
    Date.now(),
    { from: "start", to: "end" },
  );
  const leql = readFilter(query, "filter");
  const limit = wholeParameter(query, "limit", {
    fallback: leql.limit[0] ?? Number.MAX_SAFE_INTEGER,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  const question = questionOf(principal, logs, leql, during);
  return { text: linesOf(eventsOf(engine, question, exchange, limit)) };
}

/** An error here is its text. */
export function refusePull({ message, status }: LogboomError): Reply {
  return { status, text: `${message}\n` };
}
