// Lines that go to the service in one request.
import type { Line } from "./line-splitter.ts";

const MAX_BYTES = 1024 * 1024;
const MAX_LINES = 10_000;

export class LineBatch {
  #lines: Line[] = [];
  #bytes = 0;
  #begunAt = 0;

  add(line: Line): void {
    if (this.#lines.length === 0) this.#begunAt = performance.now();
    this.#lines.push(line);
    this.#bytes += line.bytes.length + 1;
  }

  get length(): number {
    return this.#lines.length;
  }

  get isFull(): boolean {
    return this.#bytes >= MAX_BYTES || this.#lines.length >= MAX_LINES;
  }

  /** ms since the first line came; 0 without one. */
  get ageMs(): number {
    return this.#lines.length === 0 ? 0 : performance.now() - this.#begunAt;
  }

  take(): Line[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return lines;
  }
}
