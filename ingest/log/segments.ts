// The bytes of event records, in files that are written once and deleted when nothing in them is wanted.
//
// What they mean stands in LMDB and is written after them, so no record is known whose bytes are not
// durable. Inside LMDB the bytes would be copied into pages, stay in a file that never shrinks, and count as
// resident memory.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/** A file is closed at about this size: a slow partition keeps at most so much of the others' records. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** A file below this size is written on even when nothing in it is wanted any more. */
const SMALL_BYTES = 1024 * 1024;
/** What one vectored write takes. */
const MAX_PIECES = 1024;
const NAME = /^(\d+)\.segment$/;

/** Where a record's bytes are. */
export interface Place {
  readonly segment: number;
  /** bytes from the begin of the file */
  readonly position: number;
}

interface Waiting {
  readonly values: readonly Buffer[];
  readonly resolve: (places: Place[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The file that is being written. */
interface Head {
  readonly segment: number;
  readonly file: FileHandle;
  sizeBytes: number;
}

export class Segments {
  readonly #dir: string;
  /** Bytes that are still wanted, by segment. */
  readonly #wantedBytes: Map<number, number>;
  readonly #readers = new Map<number, Promise<FileHandle>>();
  readonly #closing = new Set<Promise<void>>();
  #next = 0;
  #head: Head | undefined;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isStarted = false;

  /** @param wantedBytes what records have in each segment, by segment */
  constructor(dir: string, wantedBytes: Map<number, number>) {
    this.#dir = dir;
    this.#wantedBytes = wantedBytes;
  }

  /**
   * Writes values and resolves when they are durable. What comes while others are written is written and
   * synced together.
   *
   * @throws the file system's error; then none of the values is kept
   */
  append(values: readonly Buffer[]): Promise<Place[]> {
    if (values.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ values, resolve, reject });
      this.#writing ??= this.#writeWaiting().finally(() => (this.#writing = undefined));
    });
  }

  /** The bytes at a place; undefined when they were released. */
  async read({ segment, position }: Place, sizeBytes: number): Promise<Buffer | undefined> {
    const value = Buffer.allocUnsafeSlow(sizeBytes);
    try {
      const file = await this.#reader(segment);
      const { bytesRead } = await file.read(value, 0, sizeBytes, position);
      if (bytesRead === sizeBytes) return value;
      throw new Error(
        `the segment ${segment} ends within a record, at byte ${position + bytesRead}`,
      );
    } catch (error) {
      if (!this.#wantedBytes.has(segment)) return undefined;
      throw error;
    }
  }

  /** Says that bytes are not wanted any more; a file without any that are is deleted. */
  release(segment: number, sizeBytes: number): void {
    const left = (this.#wantedBytes.get(segment) ?? 0) - sizeBytes;
    this.#wantedBytes.set(segment, left);
    if (left > 0) return;
    if (this.#head?.segment !== segment) this.#delete(segment);
    else if (this.#head.sizeBytes > SMALL_BYTES) this.#finishHead();
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#finishHead();
    for (const reader of this.#readers.values()) this.#close(reader);
    this.#readers.clear();
    await Promise.all(this.#closing);
  }

  /**
   * Deletes files that no record is in: what a crash left between the bytes and their record. Only with the
   * first append, since a process that writes accounts alone must leave the files of the writer in peace.
   */
  #start(): void {
    this.#isStarted = true;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#dir)) {
      const segment = Number(NAME.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(segment)) continue;
      this.#next = Math.max(this.#next, segment + 1);
      if (!this.#wantedBytes.has(segment)) this.#delete(segment);
    }
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        if (!this.#isStarted) this.#start();
        const places = await this.#write(group.flatMap(({ values }) => values));
        for (const { values, resolve } of group) resolve(places.splice(0, values.length));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
  }

  async #write(values: readonly Buffer[]): Promise<Place[]> {
    const head = (this.#head ??= await this.#openNext());
    const { segment, file } = head;
    const begin = head.sizeBytes;
    const places = values.map((value) => {
      const position = head.sizeBytes;
      head.sizeBytes += value.length;
      return { segment, position };
    });
    const addedBytes = head.sizeBytes - begin;
    this.#wantedBytes.set(segment, (this.#wantedBytes.get(segment) ?? 0) + addedBytes);
    try {
      await writeFully(file, values);
      await file.datasync();
    } catch (error) {
      // What the file holds now is unknown: nothing more is written to it.
      this.#finishHead();
      this.release(segment, addedBytes);
      throw error;
    }
    if (head.sizeBytes >= SEGMENT_BYTES) this.#finishHead();
    return places;
  }

  async #openNext(): Promise<Head> {
    const segment = this.#next++;
    const file = await open(this.#path(segment), "wx", 0o600);
    // The name has to outlive a loss of power as well as the bytes.
    await using folder = await open(this.#dir, "r");
    await folder.sync();
    return { segment, file, sizeBytes: 0 };
  }

  /** The next append begins another file. */
  #finishHead(): void {
    if (this.#head === undefined) return;
    const { segment, file } = this.#head;
    this.#head = undefined;
    this.#close(Promise.resolve(file));
    if ((this.#wantedBytes.get(segment) ?? 0) <= 0) this.#delete(segment);
  }

  #delete(segment: number): void {
    this.#wantedBytes.delete(segment);
    const reader = this.#readers.get(segment);
    this.#readers.delete(segment);
    if (reader !== undefined) this.#close(reader);
    rmSync(this.#path(segment), { force: true });
  }

  /** A handle ends what it is reading before it is closed. */
  #close(opened: Promise<FileHandle>): void {
    const closing = opened
      .then((file) => file.close())
      .catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #reader(segment: number): Promise<FileHandle> {
    return this.#readers.getOrInsertComputed(segment, () => open(this.#path(segment), "r"));
  }

  #path(segment: number): string {
    return join(this.#dir, `${segment}.segment`);
  }
}

/** A vectored write may end early. */
async function writeFully(file: FileHandle, values: readonly Buffer[]): Promise<void> {
  for (let first = 0; first < values.length; first += MAX_PIECES) {
    const pieces = values.slice(first, first + MAX_PIECES);
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const { bytesWritten } = await file.writev(pieces);
    // What is left after an early end is rare, and then most often an error follows.
    if (bytesWritten < sizeBytes)
      await file.writeFile(Buffer.concat(pieces).subarray(bytesWritten));
  }
}
