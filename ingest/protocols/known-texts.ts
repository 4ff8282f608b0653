// Makes a string of bytes once where a body repeats it: names of fields, and values such as a log's attributes.
import { FNV_START, hashByte } from "./fnv.ts";

/** Longer texts are made each time. */
const MAX_LENGTH = 64;
/** A power of two. Texts that meet at a place take turns. */
const PLACES = 256;

export class KnownTexts {
  readonly #places: (string | undefined)[] = [];

  /** @param bytes ASCII from `start` to before `end` */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > MAX_LENGTH) return bytes.toString("latin1", start, end);
    let hash = FNV_START;
    for (let index = start; index < end; index++) {
      hash = hashByte(hash, bytes[index] ?? 0);
    }
    const place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    const known = this.#places[place];
    if (known?.length === length && isWrittenAt(known, bytes, start)) return known;
    return (this.#places[place] = bytes.toString("latin1", start, end));
  }
}

function isWrittenAt(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
