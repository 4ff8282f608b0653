// Which logs and logsets a customer has: those of tokens, those made through the API, and those that hold events.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { StoreClient } from "../../consumers/store/client.ts";
import type { Principal } from "../../ingest/keys/permission.ts";
import { hashSecret } from "../../ingest/keys/secret.ts";
import { readRows } from "../ask/rows.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { ask, and, or, type Predicate } from "../language/predicate.ts";
import { literal } from "../language/text-pattern.ts";
import type { Prefixes } from "../search/request.ts";
import { effectivePrefixes } from "../search/scope.ts";
import { notFound, uuidOf } from "./access.ts";

/** Events of Logentries' doors have this label. */
export const DOOR = "logentries";
/** The logset of a log that is in none: labels are not empty. */
export const NO_LOGSET = "Ungrouped";
const STREAMS_FRESH_MS = 2_000;
/** How long the store may take to name them. */
const STREAMS_WAIT_MS = 5_000;
const MAX_STREAMS = 10_000;
const MAX_CUSTOMERS = 1_000;

export interface KnownLog {
  readonly id: string;
  readonly name: string;
  /** Of its events. */
  readonly labels: { readonly logset: string; readonly log: string };
  readonly logsets: readonly string[];
  readonly sourceType: string;
  /** Ids of the keys that write to it: their secrets are not kept. */
  readonly tokens: readonly string[];
}

export interface KnownLogset {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly logs: readonly KnownLog[];
}

/** What is kept of a log beside its events: of one made, renamed or deleted through the API. */
const logValue = z.object({
  name: z.string(),
  labels: z.object({ logset: z.string(), log: z.string() }),
  logsets: z.array(z.string()),
  sourceType: z.string(),
  isDeleted: z.boolean().optional(),
});
export type LogValue = z.infer<typeof logValue>;

export const logsetValue = z.object({ name: z.string(), description: z.string() });

interface StreamRow {
  readonly logset: string;
  readonly log: string;
}

interface Streams {
  /** ms since the epoch */
  readonly at: number;
  readonly asked: Promise<readonly StreamRow[]>;
  /** As they were known last. */
  rows: readonly StreamRow[];
}

export class Catalog {
  readonly #options: Pick<VendorOptions, "records" | "tokens">;
  readonly #store: StoreClient;
  readonly #streams = new Map<string, Streams>();

  constructor(options: Pick<VendorOptions, "records" | "tokens" | "store">) {
    this.#options = options;
    this.#store = options.store;
  }

  /** The logs that the key may read, by name. @throws LogboomError UNAVAILABLE when the store does not answer */
  async logs(principal: Principal): Promise<KnownLog[]> {
    return this.#logsWith(principal, await this.#streamsOf(principal.customer));
  }

  /**
   * Logs by their ids. The store is asked only for those that are not known from before.
   * @throws LogboomError NOT_FOUND for one that is none, or that the key may not read; UNAVAILABLE as `logs` does
   */
  async find(principal: Principal, ids: readonly string[]): Promise<KnownLog[]> {
    const before = this.#streams.get(principal.customer)?.rows ?? [];
    const known = this.#pick(principal, this.#logsWith(principal, before), ids);
    const found = known.every((log) => log !== undefined)
      ? known
      : this.#pick(principal, await this.logs(principal), ids);
    return found.map((log, index) => {
      if (log === undefined) throw notFound("log", ids[index] ?? "");
      return log;
    });
  }

  #pick(
    principal: Principal,
    logs: readonly KnownLog[],
    ids: readonly string[],
  ): (KnownLog | undefined)[] {
    return ids.map(
      (id) => logs.find((one) => one.id === id) ?? this.#findByToken(principal, logs, id),
    );
  }

  #logsWith({ customer, prefixes }: Principal, streams: readonly StreamRow[]): KnownLog[] {
    const { records, tokens } = this.#options;
    const known = new Map<string, KnownLog & { readonly isDeleted?: boolean | undefined }>();
    for (const { id, value } of records.list({ customer, collection: "logentries-log" })) {
      const log = logValue.safeParse(value).data;
      if (log !== undefined) known.set(nameOf(log.labels), { ...log, id, tokens: [] });
    }
    const found = (labels: KnownLog["labels"], token?: string): void => {
      const name = nameOf(labels);
      const log = known.get(name) ?? {
        id: uuidOf("log", customer, labels.logset, labels.log),
        name: labels.log,
        labels,
        logsets: [labels.logset],
        sourceType: "token",
        tokens: [],
      };
      known.set(name, token === undefined ? log : { ...log, tokens: [...log.tokens, token] });
    };
    for (const { logset, log } of streams) found({ logset, log });
    for (const { id, logset, log, revokedAt, ...record } of tokens.list()) {
      if (record.customer !== customer || logset === undefined || log === undefined) continue;
      found({ logset, log }, revokedAt === undefined ? id : undefined);
    }
    return [...known.values()]
      .filter(({ isDeleted, labels }) => isDeleted !== true && mayRead(labels, prefixes))
      .sort((a, b) => (nameOf(a.labels) < nameOf(b.labels) ? -1 : 1));
  }

  /** Logsets of logs and those made through the API, by name. */
  async logsets(principal: Principal): Promise<KnownLogset[]> {
    const { customer } = principal;
    const sets = new Map<
      string,
      { id: string; name: string; description: string; logs: KnownLog[] }
    >();
    const place = { customer, collection: "logentries-logset" } as const;
    for (const { id, value } of this.#options.records.list(place)) {
      const set = logsetValue.safeParse(value).data;
      if (set !== undefined) sets.set(set.name, { ...set, id, logs: [] });
    }
    for (const log of await this.logs(principal)) {
      for (const name of log.logsets) {
        if (name === NO_LOGSET) continue;
        const id = uuidOf("logset", customer, name);
        const set = sets.get(name) ?? { id, name, description: "", logs: [] };
        set.logs.push(log);
        sets.set(name, set);
      }
    }
    return [...sets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Keeps what is said of a log; its events stay where they are. */
  async put({ customer }: Principal, value: LogValue, id: string = randomUUID()): Promise<string> {
    await this.#options.records.put({ customer, collection: "logentries-log" }, id, value);
    return id;
  }

  /** A log by the id, or the secret, of a key that writes to it: clients know their log by its token. */
  #findByToken(
    { customer }: Principal,
    logs: readonly KnownLog[],
    id: string,
  ): KnownLog | undefined {
    const hash = hashSecret(id).toString("hex");
    const token = this.#options.tokens
      .list()
      .find(
        (record) =>
          record.customer === customer &&
          record.kind === "logentries-log" &&
          (record.id === id || record.secretSha256 === hash),
      );
    return logs.find(({ labels }) => labels.logset === token?.logset && labels.log === token.log);
  }

  /** The streams of the customer's events, read at most every two seconds. */
  #streamsOf(customer: string): Promise<readonly StreamRow[]> {
    const known = this.#streams.get(customer);
    if (known !== undefined && Date.now() - known.at < STREAMS_FRESH_MS) return known.asked;
    if (this.#streams.size >= MAX_CUSTOMERS) this.#streams.clear();
    const rows = known?.rows ?? [];
    const streams: Streams = { at: Date.now(), asked: this.#askStreams(customer), rows };
    this.#streams.set(customer, streams);
    streams.asked.then(
      (found) => (streams.rows = found),
      // Who asks next asks anew.
      () => this.#streams.set(customer, { ...streams, at: 0 }),
    );
    return streams.asked;
  }

  #askStreams(customer: string): Promise<StreamRow[]> {
    return readRows<StreamRow>(this.#store, {
      query: `
        SELECT DISTINCT prefix0 AS logset, prefix1 AS log FROM streams
        WHERE customer = {customer:String} AND prefix3 = {door:String}
        ORDER BY logset, log LIMIT {limit:UInt32}`,
      parameters: { customer, door: DOOR, limit: MAX_STREAMS },
      waitMs: STREAMS_WAIT_MS,
    });
  }
}

/** The events of these logs. */
export function inLogs(logs: readonly KnownLog[]): Predicate {
  const label = (index: 0 | 1, text: string): Predicate =>
    text === ""
      ? { kind: "not", operand: ask({ kind: "label", index }, { kind: "always" }) }
      : ask({ kind: "label", index }, { kind: "match", pattern: literal(text, false) });
  if (logs.length === 0) return { kind: "never" };
  return or(...logs.map(({ labels }) => and(label(0, labels.logset), label(1, labels.log))));
}

/** What all of the logs' labels start with, so that the plan reads no others. */
export function scopeOf(logs: readonly KnownLog[], prefixes: Prefixes): Prefixes | undefined {
  const [first] = logs;
  const same = (part: "logset" | "log") =>
    first !== undefined && logs.every(({ labels }) => labels[part] === first.labels[part])
      ? first.labels[part]
      : "";
  return effectivePrefixes([same("logset"), same("log"), "", DOOR], prefixes);
}

function mayRead({ logset, log }: KnownLog["labels"], prefixes: Prefixes): boolean {
  return logset.startsWith(prefixes[0]) && log.startsWith(prefixes[1]);
}

function nameOf({ logset, log }: KnownLog["labels"]): string {
  return `${logset}\0${log}`;
}
