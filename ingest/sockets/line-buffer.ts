// Cuts the bytes of a connection into lines, and holds no more of an unfinished one than allowed.
import { LogboomError } from "../../schemas/errors.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import { characterStart } from "../mend.ts";
import type { DropReason, LineHandler, LineProtocol } from "../protocols/line-protocol.ts";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
/** A first piece of an unfinished line takes at least so much. */
const FIRST_BYTES = 512;
/** So much every connection may hold whatever the others do: nearly all lines fit. */
const FREE_BYTES = 2048;
/** Digits of a length in front of a message. */
const MAX_COUNT_DIGITS = 7;

interface LineBufferOptions extends Pick<LineProtocol, "overflow" | "countsOctets"> {
  readonly maxBytes: number;
  /** What unfinished lines share; asked anew for each line. */
  readonly budget: () => MemoryBudget;
  readonly onLine: LineHandler;
  readonly onDrop: (reason: DropReason) => void;
}

export class LineBuffer {
  readonly #options: LineBufferOptions;
  /** The unfinished line: a copy, so that a few bytes do not keep the piece alive that they came in. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  /** Whose budget the unfinished line counts against. */
  #budget: MemoryBudget | undefined;
  #isContinuation = false;
  /** Whether the rest of the line is thrown away. */
  #isSkipping = false;
  /** Bytes of a counted message that are still to come. */
  #countedBytes = 0;
  /** The beginning of what may be a length in front of a message. */
  #count = "";

  constructor(options: LineBufferOptions) {
    this.#options = options;
  }

  push(piece: Buffer): void {
    let start = 0;
    while (start < piece.length) {
      if (this.#countedBytes > 0) {
        const end = Math.min(piece.length, start + this.#countedBytes);
        this.#countedBytes -= end - start;
        this.#hold(piece.subarray(start, end));
        if (this.#countedBytes === 0) this.#finish();
        start = end;
      } else if (this.#options.countsOctets === true && this.#isAtStart) {
        start = this.#readCount(piece, start);
      } else {
        start = this.#readLine(piece, start);
      }
    }
  }

  /** The line that no line break ended, if there is one; the buffer is empty then. */
  end(): void {
    this.#countedBytes = 0;
    this.#giveUpCount();
    if (this.#heldBytes > 0) this.#finish();
    this.#isSkipping = false;
  }

  /** Between two messages, where a length may stand; within one that began with a digit, never. */
  get #isAtStart(): boolean {
    return this.#heldBytes === 0 && !this.#isSkipping && !this.#isContinuation;
  }

  #readLine(piece: Buffer, start: number): number {
    const lineFeed = piece.indexOf(LF, start);
    const end = lineFeed < 0 ? piece.length : lineFeed;
    const isWhole = lineFeed >= 0 && this.#isAtStart && end - start <= this.#options.maxBytes;
    // One view of the piece for each line: making them is a good part of a line's cost.
    if (isWhole) {
      this.#options.onLine(piece.subarray(start, lineEnd(piece, start, end)), false);
    } else {
      this.#hold(piece.subarray(start, end));
      if (lineFeed >= 0) this.#finish();
    }
    return end + 1;
  }

  /** Reads the digits of a length; returns where to go on. */
  #readCount(piece: Buffer, start: number): number {
    let position = start;
    while (position < piece.length && this.#count.length <= MAX_COUNT_DIGITS) {
      const byte = piece[position] ?? 0;
      if (byte === SPACE && this.#count !== "") {
        this.#countedBytes = Number(this.#count);
        this.#count = "";
        return position + 1;
      }
      if (byte < 0x30 || byte > 0x39) break;
      this.#count += String.fromCharCode(byte);
      position++;
    }
    if (position === piece.length) return position;
    // It is the beginning of a line.
    this.#giveUpCount();
    return this.#readLine(piece, position);
  }

  #giveUpCount(): void {
    const digits = this.#count;
    this.#count = "";
    if (digits !== "") this.#hold(Buffer.from(digits));
  }

  #hold(piece: Buffer): void {
    const { maxBytes, overflow } = this.#options;
    let rest = piece;
    while (!this.#isSkipping && rest.length > 0) {
      const taken = rest.subarray(0, maxBytes - this.#heldBytes);
      this.#append(taken);
      rest = rest.subarray(taken.length);
      if (this.#isSkipping || rest.length === 0) return;
      if (overflow === "split") this.#emitPart();
      else {
        this.#isSkipping = true;
        if (overflow === "drop") this.#giveUp("too-long");
      }
    }
  }

  /** Copies into the held bytes, which grow by doubling. */
  #append(piece: Buffer): void {
    const needed = this.#heldBytes + piece.length;
    if (needed > this.#held.length) {
      const size = Math.min(
        Math.max(needed, FIRST_BYTES, this.#held.length * 2),
        this.#options.maxBytes,
      );
      try {
        this.#budget ??= this.#options.budget();
        this.#budget.take(charged(size) - charged(this.#held.length));
      } catch (error) {
        if (!(error instanceof LogboomError)) throw error;
        this.#isSkipping = true;
        this.#giveUp("overloaded");
        return;
      }
      const grown = Buffer.allocUnsafeSlow(size);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(piece, this.#heldBytes);
    this.#heldBytes = needed;
  }

  /** A full buffer becomes a line, up to its last whole character. */
  #emitPart(): void {
    const last = characterStart(this.#held, this.#heldBytes - 1);
    const lead = this.#held[last] ?? 0;
    const length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const isWhole = last + length <= this.#heldBytes || last === 0;
    const line = this.#held.subarray(0, isWhole ? this.#heldBytes : last);
    const rest = this.#held.subarray(line.length, this.#heldBytes);
    this.#release();
    this.#options.onLine(line, this.#isContinuation);
    this.#isContinuation = true;
    this.#append(rest);
  }

  #finish(): void {
    const line = this.#held.subarray(0, this.#heldBytes);
    this.#release();
    // Of a line that was cut the beginning is held; of one that was dropped nothing.
    const hasNothing = line.length === 0 && (this.#isSkipping || this.#isContinuation);
    this.#isSkipping = false;
    if (!hasNothing) {
      this.#options.onLine(line.subarray(0, lineEnd(line, 0, line.length)), this.#isContinuation);
    }
    this.#isContinuation = false;
  }

  #giveUp(reason: DropReason): void {
    this.#release();
    this.#options.onDrop(reason);
  }

  #release(): void {
    this.#budget?.give(charged(this.#held.length));
    this.#budget = undefined;
    this.#held = Buffer.alloc(0);
    this.#heldBytes = 0;
  }
}

/** Where a line ends that a line feed, or the end of the bytes, follows. */
function lineEnd(bytes: Buffer, start: number, end: number): number {
  return end > start && bytes[end - 1] === CR ? end - 1 : end;
}

function charged(heldBytes: number): number {
  return Math.max(0, heldBytes - FREE_BYTES);
}
