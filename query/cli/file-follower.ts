// Reads a file as it grows, by its name: over rotation, truncation and times in which it is not there.
import { open, stat, type FileHandle } from "node:fs/promises";
import { tell } from "./output.ts";

const PIECE_BYTES = 64 * 1024;
/** How long a file that lost its name must be quiet: whoever wrote to it may still have it open. */
const QUIET_MS = 1_000;
const LOOK_MS = 250;
/** Files that wait for those before them. Open, they can be read even when they are renamed or removed. */
const MAX_FILES = 100;

/** "end-of-file": what follows belongs to another file, or to the same one emptied. "nothing": so far. */
export type Found = Buffer | "end-of-file" | "nothing";

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  readonly device: bigint;
  position: number;
  lastReadAt: number;
}

export class FileFollower implements AsyncDisposable {
  readonly #path: string;
  /** The one that is read, and those that have had the name since. */
  readonly #files: OpenFile[] = [];
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** Why the name could not be opened, which was told. */
  #trouble: string | undefined;

  private constructor(path: string) {
    this.#path = path;
    // Also while nobody reads: a file may come and go meanwhile.
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** @param isFromStart whether to read what the file holds already; one that comes later is read as a whole */
  static async open(path: string, isFromStart: boolean): Promise<FileFollower> {
    const follower = new FileFollower(path);
    await follower.look();
    const [file] = follower.#files;
    if (file !== undefined && !isFromStart) file.position = (await file.handle.stat()).size;
    return follower;
  }

  /** Opens the file that has the name now, unless it is open. */
  async look(): Promise<void> {
    this.#looking ??= this.#openNamed().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /**
   * The next bytes, or why there are none.
   *
   * @param quietMs how long a file without its name must have been quiet before the next one is read
   */
  async next(quietMs = QUIET_MS): Promise<Found> {
    const [file] = this.#files;
    if (file === undefined) return "nothing";

    const { size } = await file.handle.stat();
    if (size < file.position) {
      file.position = 0;
      return "end-of-file";
    }
    const { bytesRead, buffer } = await file.handle.read({
      buffer: Buffer.allocUnsafe(Math.min(PIECE_BYTES, Math.max(1, size - file.position))),
      position: file.position,
    });
    if (bytesRead > 0) {
      file.position += bytesRead;
      file.lastReadAt = performance.now();
      return buffer.subarray(0, bytesRead);
    }
    // While no other file has the name, the one that had it may be written to.
    if (this.#files.length === 1 || performance.now() - file.lastReadAt < quietMs) return "nothing";
    this.#files.shift();
    await file.handle.close();
    return "end-of-file";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#files.splice(0).map(({ handle }) => handle.close()));
  }

  async #openNamed(): Promise<void> {
    try {
      const named = await stat(this.#path, { bigint: true });
      // Opening a pipe would wait for somebody to write to it.
      if (!named.isFile()) throw new Error("it is no regular file");
      if (this.#isNewest(named)) return;
      if (this.#files.length === MAX_FILES) throw new Error(`${MAX_FILES} files are to be read`);
      const handle = await open(this.#path, "r");
      const opened = await handle.stat({ bigint: true });
      if (this.#isNewest(opened)) {
        await handle.close();
        return;
      }
      const { ino: inode, dev: device } = opened;
      this.#files.push({ handle, inode, device, position: 0, lastReadAt: performance.now() });
      if (this.#trouble !== undefined) tell(`"${this.#path}" is there`);
      this.#trouble = undefined;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // Between two files, for a moment, is nothing to be told of.
      if (code === "ENOENT" && this.#files.length > 0) return;
      if (message !== this.#trouble) tell(`waiting for "${this.#path}": ${message}`);
      this.#trouble = message;
    }
  }

  #isNewest({ ino, dev }: { readonly ino: bigint; readonly dev: bigint }): boolean {
    const newest = this.#files.at(-1);
    return newest !== undefined && newest.inode === ino && newest.device === dev;
  }
}
