// When each key was last used, written into the account stream in batches: at most once a minute a key.
import { lastUseRecord } from "../../schemas/token.ts";
import type { Log } from "../log/log.ts";

const EVERY_MS = 60_000;
const FLUSH_MS = 5_000;
/** Records of one append; the others wait for the next. */
const MAX_BATCH = 1_000;

interface LastUsesOptions {
  readonly now?: () => number;
  readonly flushMs?: number;
}

export class LastUses {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #flushMs: number;
  /** As the stream has it, in ms since the epoch. */
  readonly #recorded = new Map<string, number>();
  readonly #unwritten = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(log: Log, { now = Date.now, flushMs = FLUSH_MS }: LastUsesOptions = {}) {
    this.#log = log;
    this.#now = now;
    this.#flushMs = flushMs;
  }

  /** Takes in a record of the stream; false when it is none of a use. */
  apply(value: unknown): boolean {
    const record = lastUseRecord.safeParse(value);
    if (!record.success) return false;
    const { tokenId, at } = record.data;
    this.#recorded.set(tokenId, Math.max(at, this.#recorded.get(tokenId) ?? 0));
    return true;
  }

  note(tokenId: string): void {
    const now = this.#now();
    if (now - (this.#recorded.get(tokenId) ?? 0) < EVERY_MS) return;
    this.#unwritten.set(tokenId, now);
    this.#timer ??= setInterval(() => void this.flush(), this.#flushMs).unref();
  }

  /** ms since the epoch, to the minute; undefined when it was never used. */
  lastUse(tokenId: string): number | undefined {
    return this.#unwritten.get(tokenId) ?? this.#recorded.get(tokenId);
  }

  /** Writes what is due. A log that does not take it now gets it later: nobody waits for it. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write()).catch(() => undefined);
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #write(): Promise<void> {
    const due = [...this.#unwritten].slice(0, MAX_BATCH);
    if (due.length === 0) return;
    await this.#log.append(
      due.map(([tokenId, at]) => ({
        stream: "accounts" as const,
        partition: 0,
        key: `last-use/${tokenId}`,
        value: Buffer.from(JSON.stringify({ type: "last-use", tokenId, at })),
      })),
    );
    for (const [tokenId, at] of due) {
      this.#recorded.set(tokenId, at);
      if (this.#unwritten.get(tokenId) === at) this.#unwritten.delete(tokenId);
    }
  }
}
