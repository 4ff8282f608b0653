// What customers keep in the service beside events and keys: saved queries, users, files. Records of the log's account stream.
import { z } from "zod";
import type { Consumption, Log } from "../ingest/log/log.ts";
import { LogboomError } from "../schemas/errors.ts";

const MAX_RECORDS = 1_000;
const MAX_VALUE_BYTES = 512 * 1024;
const MAX_ID_CHARACTERS = 300;

/** Every kind of record; a customer has at most {@link MAX_RECORDS} of each. */
const collections = [
  "logentries-log",
  "logentries-logset",
  "logentries-saved-query",
  "logentries-user",
  "logentries-team",
  "logentries-tag",
  "logentries-action",
  "logentries-label",
  "scalyr-file",
] as const;
export type Collection = (typeof collections)[number];

const customerRecord = z.object({
  type: z.literal("record"),
  customer: z.string().min(1),
  collection: z.enum(collections),
  id: z.string().min(1),
  value: z.json(),
  /** Increases with every change of the record. */
  version: z.int().positive(),
  createdAt: z.iso.datetime(),
  changedAt: z.iso.datetime(),
});
export type CustomerRecord = z.infer<typeof customerRecord>;
type Value = CustomerRecord["value"];

interface Place {
  readonly customer: string;
  readonly collection: Collection;
}

const KEY_PREFIX = "record/";

export class Records {
  readonly #log: Log;
  readonly #byKey = new Map<string, CustomerRecord>();
  #following: Consumption | undefined;

  private constructor(log: Log) {
    this.#log = log;
  }

  /** Reads all records from the log and goes on following it. */
  static async open(log: Log): Promise<Records> {
    const records = new Records(log);
    records.#following = await log.follow("accounts", ({ key, value }) =>
      records.#take(key, value),
    );
    return records;
  }

  /** Oldest first. */
  list({ customer, collection }: Place): CustomerRecord[] {
    return [...this.#byKey.values()]
      .filter((record) => record.customer === customer && record.collection === collection)
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0));
  }

  find(place: Place, id: string): CustomerRecord | undefined {
    return this.#byKey.get(keyOf(place, id));
  }

  /** Creates or replaces a record. @throws LogboomError BAD_REQUEST beyond the bounds. */
  async put(place: Place, id: string, value: unknown): Promise<CustomerRecord> {
    const former = this.find(place, id);
    const now = new Date().toISOString();
    const record: CustomerRecord = {
      ...place,
      type: "record",
      id,
      value: value as Value,
      version: (former?.version ?? 0) + 1,
      createdAt: former?.createdAt ?? now,
      changedAt: now,
    };
    const bytes = Buffer.from(JSON.stringify(record));
    if (bytes.length > MAX_VALUE_BYTES || id.length > MAX_ID_CHARACTERS) {
      throw new LogboomError(
        "BAD_REQUEST",
        `what is to be kept has ${bytes.length} bytes under a name of ${id.length} characters; the limits are ${MAX_VALUE_BYTES} and ${MAX_ID_CHARACTERS}`,
        { details: { value: bytes.length, limit: MAX_VALUE_BYTES } },
      );
    }
    if (former === undefined && this.list(place).length >= MAX_RECORDS) {
      throw new LogboomError("BAD_REQUEST", `there are ${MAX_RECORDS} already; delete one first`, {
        details: { limit: MAX_RECORDS },
      });
    }
    await this.#append(keyOf(place, id), bytes);
    this.#byKey.set(keyOf(place, id), record);
    return record;
  }

  /** Whether there was one. */
  async delete(place: Place, id: string): Promise<boolean> {
    const key = keyOf(place, id);
    if (!this.#byKey.has(key)) return false;
    await this.#append(key, Buffer.alloc(0));
    this.#byKey.delete(key);
    return true;
  }

  async close(): Promise<void> {
    await this.#following?.close();
  }

  #append(key: string, value: Buffer): Promise<void> {
    return this.#log.append([{ stream: "accounts", partition: 0, key, value }]);
  }

  /** Records that a later version wrote, or that cannot be read, are not this one's to judge. */
  #take(key: string | undefined, value: Buffer): void {
    if (key?.startsWith(KEY_PREFIX) !== true) return;
    if (value.length === 0) {
      this.#byKey.delete(key);
      return;
    }
    const record = customerRecord.safeParse(parseJson(value)).data;
    // One's own change may come back after the next one.
    if (record === undefined || (this.#byKey.get(key)?.version ?? 0) > record.version) return;
    this.#byKey.set(key, record);
  }
}

function keyOf({ customer, collection }: Place, id: string): string {
  return `${KEY_PREFIX}${customer}/${collection}/${id}`;
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString("utf8"));
  } catch {
    return undefined;
  }
}
