// Reads a file as it grows, by its name: over rotation, truncation and times in which it is not there.
import { open, stat, type FileHandle } from "node:fs/promises";
import { LogboomError } from "../../schemas/errors.ts";
import { tell } from "./output.ts";

const PIECE_BYTES = 64 * 1024;
/** How long a file that lost its name must be quiet: whoever wrote to it may still have it open. */
const QUIET_MS = 1_000;

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
  #file: OpenFile | undefined;
  #hasToldOfAbsence = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param isFromStart whether to read what the file holds already; a file that comes later is read as a whole
   * @throws LogboomError when it is there, and is no regular file
   */
  static async open(path: string, isFromStart: boolean): Promise<FileFollower> {
    const follower = new FileFollower(path);
    await follower.#open();
    const file = follower.#file;
    if (file !== undefined && !isFromStart) file.position = (await file.handle.stat()).size;
    return follower;
  }

  /** The next bytes, or why there are none. */
  async next(): Promise<Found> {
    if (this.#file === undefined) await this.#open();
    const file = this.#file;
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
    if (performance.now() - file.lastReadAt < QUIET_MS || !(await this.#isReplaced(file))) {
      return "nothing";
    }
    this.#file = undefined;
    await file.handle.close();
    return "end-of-file";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
  }

  /** Whether another file has the name. While none has, the one that had it may be written to. */
  async #isReplaced({ inode, device }: OpenFile): Promise<boolean> {
    try {
      const named = await stat(this.#path, { bigint: true });
      return named.ino !== inode || named.dev !== device;
    } catch {
      return false;
    }
  }

  async #open(): Promise<void> {
    try {
      // Opening a pipe would wait for somebody to write to it.
      if (!(await stat(this.#path)).isFile()) {
        throw new LogboomError("BAD_REQUEST", `"${this.#path}" is not a regular file`);
      }
      const handle = await open(this.#path, "r");
      const { ino: inode, dev: device } = await handle.stat({ bigint: true });
      // A file that was replaced before anything was read of it has not been quiet yet either.
      this.#file = { handle, inode, device, position: 0, lastReadAt: performance.now() };
      if (this.#hasToldOfAbsence) tell(`"${this.#path}" is there`);
      this.#hasToldOfAbsence = false;
    } catch (error) {
      if (error instanceof LogboomError) throw error;
      if (this.#hasToldOfAbsence) return;
      this.#hasToldOfAbsence = true;
      tell(`waiting for "${this.#path}": ${(error as Error).message}`);
    }
  }
}
