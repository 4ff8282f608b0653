// Cuts a stream of bytes into lines, with a bound on the line that has not ended yet.

const LF = 0x0a;

/** A line without its line feed; `number` counts from 1. */
export interface Line {
  readonly bytes: Buffer;
  readonly number: number;
  /** bytes beyond the bound, which are not in `bytes` */
  readonly cutBytes: number;
}

export class LineSplitter {
  readonly #maxLineBytes: number;
  /** Pieces of the line that has not ended, up to the bound. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #cutBytes = 0;
  #number = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that end in a piece; the piece must not be written to afterwards. */
  *push(piece: Buffer): Generator<Line> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(LF, start);
      if (end < 0) break;
      this.#add(piece.subarray(start, end));
      yield this.#take();
      start = end + 1;
    }
    // Copied, since a piece is larger than what is kept of it.
    if (start < piece.length) this.#add(Buffer.from(piece.subarray(start)));
  }

  /** The last line, when no line feed ends it. */
  *finish(): Generator<Line> {
    if (this.#begunBytes + this.#cutBytes > 0) yield this.#take();
  }

  #add(bytes: Buffer): void {
    const kept = bytes.subarray(0, this.#maxLineBytes - this.#begunBytes);
    if (kept.length > 0) this.#begun.push(kept);
    this.#begunBytes += kept.length;
    this.#cutBytes += bytes.length - kept.length;
  }

  #take(): Line {
    const [only] = this.#begun;
    const bytes =
      this.#begun.length === 1 && only !== undefined ? only : Buffer.concat(this.#begun);
    const line = { bytes, number: ++this.#number, cutBytes: this.#cutBytes };
    this.#begun = [];
    this.#begunBytes = 0;
    this.#cutBytes = 0;
    return line;
  }
}
