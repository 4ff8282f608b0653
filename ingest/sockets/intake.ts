// Gathers the events of many connections into batches, and keeps each until it is durable.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Acceptor } from "../accept.ts";
import type { Principal } from "../keys/permission.ts";
import type { DoorName, IncomingEvent } from "../protocols/door.ts";
import type { DropReason } from "../protocols/line-protocol.ts";

/** A batch of so many bytes is encoded at once: what waits as objects, the collector copies about. */
const BATCH_BYTES = 128 * 1024;
/** What an event takes beside its line. */
const EVENT_BYTES = 300;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

interface IntakeOptions {
  readonly door: DoorName;
  readonly acceptor: Acceptor;
  readonly logger: Logger;
  readonly lingerMs: number;
  /** Bytes received and not yet durable from which on it is full. */
  readonly maxBytes: number;
  readonly onDrop: (reason: DropReason, count: number) => void;
  /** Called when it is not full any more. */
  readonly onRoom: () => void;
}

interface Batch {
  readonly events: ReadonlyMap<Principal, IncomingEvent[]>;
  readonly sizeBytes: number;
}

/**
 * Nobody is told when a line is not stored, so a batch that the log refuses is repeated until it is taken;
 * meanwhile {@link Intake.isFull} makes connections wait.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #appending = new Set<Promise<void>>();
  #events = new Map<Principal, IncomingEvent[]>();
  #waitingBytes = 0;
  #pendingBytes = 0;
  #wasFull = false;
  #timer: NodeJS.Timeout | undefined;
  /** Batches are encoded one after the other, so that the events of a connection keep their order. */
  #encoding: Promise<void> = Promise.resolve();
  #stop = new AbortController();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get isFull(): boolean {
    return this.#pendingBytes >= this.#options.maxBytes;
  }

  add(principal: Principal, event: IncomingEvent, lineBytes: number): void {
    const size = lineBytes + EVENT_BYTES;
    this.#events.getOrInsertComputed(principal, () => []).push(event);
    this.#waitingBytes += size;
    this.#pendingBytes += size;
    if (this.isFull) this.#wasFull = true;
    if (this.#waitingBytes >= BATCH_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.lingerMs);
  }

  /** Waits until everything is durable; what is not within the time is dropped and counted. */
  async close(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), timeoutMs);
    this.#flush();
    await this.#encoding;
    await Promise.all(this.#appending);
    clearTimeout(timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#events.size === 0) return;
    const batch = { events: this.#events, sizeBytes: this.#waitingBytes };
    this.#events = new Map();
    this.#waitingBytes = 0;
    this.#encoding = this.#encoding.then(() => this.#encode(batch));
  }

  async #encode({ events, sizeBytes }: Batch): Promise<void> {
    const appends: Promise<void>[] = [];
    for (const [principal, own] of events) {
      const allowed = this.#allowed(principal, own);
      const append = await this.#prepare(principal, allowed);
      if (append !== undefined) appends.push(this.#append(append, allowed.length));
    }
    const appending = Promise.all(appends).then(() => {
      this.#appending.delete(appending);
      this.#pendingBytes -= sizeBytes;
      if (!this.#wasFull || this.#pendingBytes > this.#options.maxBytes / 2) return;
      this.#wasFull = false;
      this.#options.onRoom();
    });
    this.#appending.add(appending);
  }

  /** One event that the key may not write does not cost the others. */
  #allowed(principal: Principal, events: readonly IncomingEvent[]): readonly IncomingEvent[] {
    if (principal.prefixes.every((prefix) => prefix === "")) return events;
    const allowed = events.filter((event) => isAllowed(principal, event));
    this.#options.onDrop("forbidden", events.length - allowed.length);
    return allowed;
  }

  async #prepare(
    principal: Principal,
    events: readonly IncomingEvent[],
  ): Promise<(() => Promise<void>) | undefined> {
    const { acceptor, door, onDrop, logger } = this.#options;
    if (events.length === 0) return undefined;
    try {
      return await acceptor.take(door, principal, events);
    } catch (error) {
      logger.error({ err: error, door }, "events cannot be encoded");
      onDrop("malformed", events.length);
      return undefined;
    }
  }

  async #append(append: () => Promise<void>, count: number): Promise<void> {
    const { logger, door, onDrop } = this.#options;
    const { signal } = this.#stop;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_RETRY_MS)) {
      try {
        await append();
        return;
      } catch (error) {
        if (waitMs === FIRST_RETRY_MS) logger.warn({ err: error, door }, "events wait for the log");
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) {
        onDrop("stopped", count);
        return;
      }
    }
  }
}

/** By the beginnings of its labels, which mending leaves as they are. */
function isAllowed({ prefixes }: Principal, event: IncomingEvent): boolean {
  const { prefix0, prefix1, prefix2, prefix3 } = event.origin?.labels ?? event;
  const labels = [prefix0, prefix1, prefix2, prefix3];
  return prefixes.every((prefix, index) => (labels[index] ?? "").startsWith(prefix));
}
