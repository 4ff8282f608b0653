// Gathers the events of concurrent requests into few log records, and acknowledges each once it is durable.
import { namedBlockId, uniqueBlockId } from "../schemas/block-id.ts";
import { encodeContainer, type EncodedEvents } from "../schemas/event-codec.ts";
import { recycle } from "../schemas/event-writer.ts";
import type { EncodedRequest } from "./encode.ts";
import { freeBuffer } from "./log/free-buffer.ts";
import type { Log, NewRecord, Receipt } from "./log/log.ts";

/** A record is closed at about this size. */
const RECORD_BYTES = 256 * 1024;
/** A group of this size is appended without waiting for more. */
const GROUP_BYTES = 512 * 1024;

interface Submission {
  readonly request: EncodedRequest;
  readonly receipts: readonly Receipt[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Coalescer {
  readonly #log: Log;
  readonly #lingerMs: number;
  readonly #keepsBytes: boolean;
  readonly #appending = new Set<Promise<void>>();
  #waiting: Submission[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param keepsBytes whether encoded events stay whose they are, who may then submit them again */
  constructor(log: Log, lingerMs: number, { keepsBytes = false } = {}) {
    this.#log = log;
    this.#lingerMs = lingerMs;
    this.#keepsBytes = keepsBytes;
  }

  /** Resolves when the request's events, and its receipts with them, are durable. */
  submit(request: EncodedRequest, ...receipts: readonly Receipt[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, receipts, resolve, reject });
      this.#waitingBytes += request.sizeBytes;
      if (this.#waitingBytes >= GROUP_BYTES) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#lingerMs);
    });
  }

  /** Appends what is waiting and waits for it. */
  async close(): Promise<void> {
    this.#flush();
    await Promise.all(this.#appending);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const group = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const appending = this.#append(group).finally(() => this.#appending.delete(appending));
    this.#appending.add(appending);
  }

  /** One append for the whole group: a request is in the log with its receipts, or not at all. */
  async #append(group: readonly Submission[]): Promise<void> {
    try {
      const receipts = group.flatMap((submission) => submission.receipts);
      const records = formRecords(group);
      if (!this.#keepsBytes) group.forEach(({ request }) => recycleAll(request));
      await this.#log.append(records, receipts);
      for (const { value } of records) freeBuffer(value);
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

/** Once all of it is copied into records, or durable. */
export function recycleAll({ pieces }: EncodedRequest): void {
  for (const { events } of pieces) recycle(events);
}

/**
 * Records of about {@link RECORD_BYTES}, each of the events of one partition in order of arrival. A request
 * with receipts has records of its own, whose block ids its repeat at any edge has, too: where the
 * receipts were lost on the way, the repeat is then known by them.
 */
function formRecords(group: readonly Submission[]): NewRecord[] {
  const shared = group.filter(({ receipts }) => receipts.length === 0);
  const records = packPieces(
    shared.flatMap(({ request }) => request.pieces),
    uniqueBlockId,
  );
  for (const { request, receipts } of group) {
    if (receipts.length === 0) continue;
    const name = receipts.map(({ key, value }) => `${key}\0${value}\0`).join("");
    records.push(...packPieces(request.pieces, (index) => namedBlockId(`${name}${index}`)));
  }
  return records;
}

function packPieces(
  pieces: EncodedRequest["pieces"],
  nameBlock: (index: number) => Buffer,
): NewRecord[] {
  const records: NewRecord[] = [];
  const open = new Map<number, { parts: EncodedEvents[]; sizeBytes: number }>();
  const finish = (partition: number, parts: readonly EncodedEvents[]): void => {
    const value = encodeContainer(nameBlock(records.length), parts);
    records.push({ stream: "events", partition, value });
  };
  for (const { partition, events } of pieces) {
    const record = open.get(partition);
    if (record === undefined || record.sizeBytes + events.bytes.length > RECORD_BYTES) {
      if (record !== undefined) finish(partition, record.parts);
      open.set(partition, { parts: [events], sizeBytes: events.bytes.length });
    } else {
      record.parts.push(events);
      record.sizeBytes += events.bytes.length;
    }
  }
  for (const [partition, { parts }] of open) finish(partition, parts);
  return records;
}
