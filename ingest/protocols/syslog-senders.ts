// Remembers what was read from the headers of syslog lines, by their bytes but for the time.
import { FNV_START, hashByte } from "./fnv.ts";

const BLANK = 0x20;
const CLOSE_BRACKET = 0x5d;
/** Longer headers are read anew each time. */
const MAX_NAME_BYTES = 1_024;
const MAX_TIME_BYTES = 40;
/** Beyond either the memory, some 30 MiB at most, starts anew. */
const MAX_SENDERS = 10_000;
const MAX_NAMES_BYTES = 2 * 1024 * 1024;

/** Where the parts of a line's header are: `<PRI>1 `, the time, and what stands up to the first `]`. */
export interface HeaderPlace {
  readonly timeStart: number;
  readonly timeEnd: number;
  /** After the bracket. */
  readonly end: number;
  readonly hash: number;
}

interface Known<Sender> {
  /** The header without its time. */
  readonly name: Uint8Array;
  readonly sender: Sender;
}

export class SyslogSenders<Sender> {
  readonly #byHash = new Map<number, Known<Sender>>();
  #namesBytes = 0;

  /**
   * Undefined for a line that is always read in full. The time is made of nothing but digits and `+ - . : T Z`:
   * with another time of these, the same bytes around it are read the same.
   */
  locate(line: Buffer): HeaderPlace | undefined {
    let hash = FNV_START;
    let position = 0;
    let byte = line[0];
    while (byte !== BLANK) {
      if (byte === undefined || position > MAX_NAME_BYTES) return undefined;
      hash = hashByte(hash, byte);
      byte = line[++position];
    }
    const timeStart = position + 1;
    position = timeStart;
    while (isTimeByte(line[position])) position++;
    const timeEnd = position;
    if (timeStart === 1 || line[timeEnd] !== BLANK || timeEnd - timeStart > MAX_TIME_BYTES) {
      return undefined;
    }
    do {
      byte = line[position++];
      if (byte === undefined || position > MAX_NAME_BYTES) return undefined;
      hash = hashByte(hash, byte);
    } while (byte !== CLOSE_BRACKET);
    return { timeStart, timeEnd, end: position, hash };
  }

  find(line: Buffer, place: HeaderPlace): Sender | undefined {
    const known = this.#byHash.get(place.hash);
    return known !== undefined && isNamed(known.name, line, place) ? known.sender : undefined;
  }

  /** @param sender what was read, of which the element ended with the place */
  add(line: Buffer, place: HeaderPlace, sender: Sender): void {
    const { timeStart, timeEnd, end, hash } = place;
    const name = new Uint8Array(timeStart + end - timeEnd);
    this.#namesBytes += name.length;
    if (this.#byHash.size >= MAX_SENDERS || this.#namesBytes > MAX_NAMES_BYTES) {
      this.#byHash.clear();
      this.#namesBytes = name.length;
    }
    name.set(line.subarray(0, timeStart));
    name.set(line.subarray(timeEnd, end), timeStart);
    this.#byHash.set(hash, { name, sender });
  }
}

function isNamed(
  name: Uint8Array,
  line: Buffer,
  { timeStart, timeEnd, end }: HeaderPlace,
): boolean {
  const skipped = timeEnd - timeStart;
  if (name.length !== end - skipped) return false;
  for (let index = 0; index < timeStart; index++) {
    if (name[index] !== line[index]) return false;
  }
  for (let index = timeStart; index < name.length; index++) {
    if (name[index] !== line[index + skipped]) return false;
  }
  return true;
}

function isTimeByte(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x2d && byte <= 0x3a && byte !== 0x2f) ||
      byte === 0x2b ||
      byte === 0x54 ||
      byte === 0x5a)
  );
}
