// Receipts of all edges on this machine's disk: a copy of their topic, brought up to date from where it stood.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { z } from "zod";
import type { LogRecord, Receipt } from "../log.ts";

const SWEEP_MS = 60_000;
const SWEEP_MAX = 10_000;

const storedReceipt = z.object({ value: z.string(), expiresAt: z.number() });
type StoredReceipt = z.infer<typeof storedReceipt>;

/** A receipt as its topic holds it, under its key. */
export function encodeReceipt({ value, expiresAt }: Receipt): Buffer {
  return Buffer.from(JSON.stringify({ value, expiresAt } satisfies StoredReceipt));
}

export class Receipts {
  readonly #env: RootDatabase;
  readonly #receipts: Database<StoredReceipt, string>;
  readonly #expiries: Database<true, [expiresAt: number, key: string]>;
  readonly #facts: Database<string | number, string>;
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;

  /** @param logId receipts of another log are forgotten, they mean nothing to this one */
  constructor(dir: string, logId: string, now: () => number = Date.now) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#now = now;
    this.#env = open({ path: join(dir, "receipts.mdb"), noMemInit: true, maxDbs: 4 });
    this.#receipts = this.#env.openDB({ name: "receipts" });
    this.#expiries = this.#env.openDB({ name: "expiries" });
    this.#facts = this.#env.openDB({ name: "facts" });
    this.#env.transactionSync(() => {
      if (this.#facts.get("log") === logId) return;
      this.#receipts.clearSync();
      this.#expiries.clearSync();
      void this.#facts.put("log", logId);
      void this.#facts.put("next", 0);
    });
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /** The offset of the topic from which it has to be read. */
  get next(): number {
    return Number(this.#facts.get("next") ?? 0);
  }

  /** Takes records of the topic in; each offset once, in order. */
  take(records: readonly LogRecord[]): void {
    const last = records.at(-1);
    if (last === undefined) return;
    this.#env.transactionSync(() => {
      for (const { key, value } of records) {
        const receipt = decodeReceipt(value);
        if (key !== undefined && receipt !== undefined) this.#put(key, receipt);
      }
      void this.#facts.put("next", last.offset + 1);
    });
  }

  /** Remembers receipts that this edge has appended, before they come back by the topic. */
  remember(receipts: readonly Receipt[]): void {
    this.#env.transactionSync(() => {
      for (const { key, value, expiresAt } of receipts) {
        this.#put(key, { value, expiresAt });
      }
    });
  }

  find(key: string): string | undefined {
    const receipt = this.#receipts.get(key);
    return receipt !== undefined && receipt.expiresAt > this.#now() ? receipt.value : undefined;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#env.close();
  }

  #put(key: string, receipt: StoredReceipt): void {
    void this.#receipts.put(key, receipt);
    void this.#expiries.put([receipt.expiresAt, key], true);
  }

  /** Some at a time, so that a day's receipts do not hold a request up. */
  #forget(): void {
    const now = this.#now();
    this.#env.transactionSync(() => {
      const expired = this.#expiries.getKeys({ end: [now, ""], limit: SWEEP_MAX });
      for (const [expiresAt, key] of Array.from(expired)) {
        void this.#expiries.remove([expiresAt, key]);
        if (this.#receipts.get(key)?.expiresAt === expiresAt) void this.#receipts.remove(key);
      }
    });
  }
}

function decodeReceipt(value: Buffer): StoredReceipt | undefined {
  try {
    return storedReceipt.parse(JSON.parse(value.toString("utf8")));
  } catch {
    // Of a version to come: not this one's to judge.
    return undefined;
  }
}
