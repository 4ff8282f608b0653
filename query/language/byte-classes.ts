// The alphabet of one pattern: bytes that no part of it tells apart are one class.
import { rangesOf, type ByteSet } from "./byte-set.ts";
import { spell } from "./literal.ts";
import type { Pattern } from "./pattern.ts";

export interface ByteClasses {
  readonly count: number;
  /** The class of each byte. */
  readonly ofByte: Uint8Array;
  /** For each class 1 when its bytes are members of a set of the pattern, else 0. */
  membersOf(set: ByteSet): Uint8Array;
}

function addSets(pattern: Pattern, sets: Set<ByteSet>): void {
  switch (pattern.kind) {
    case "bytes":
      sets.add(pattern.set);
      break;
    case "characters":
      for (const sequence of spell(pattern)) for (const set of sequence) sets.add(set);
      break;
    case "concat":
    case "union":
      for (const item of pattern.items) addSets(item, sets);
      break;
    case "set":
      for (const item of [...pattern.all, ...pattern.none]) addSets(item, sets);
      break;
    case "repeat":
    case "capture":
      addSets(pattern.item, sets);
      break;
    case "start":
    case "end":
      break;
  }
}

/** The coarsest classes that every byte set of the pattern is a union of. */
export function byteClassesOf(pattern: Pattern): ByteClasses {
  const sets = new Set<ByteSet>();
  addSets(pattern, sets);
  const ofByte = new Uint8Array(256);
  let count = 1;
  for (const set of sets) {
    if (count === 256) break;
    const renamed = new Map<number, number>();
    const inside = maskOf(set);
    for (let byte = 0; byte < 256; byte += 1) {
      const key = (ofByte[byte] ?? 0) * 2 + (inside[byte] ?? 0);
      const name = renamed.get(key) ?? renamed.size;
      renamed.set(key, name);
      ofByte[byte] = name;
    }
    count = renamed.size;
  }
  return {
    count,
    ofByte,
    membersOf(set) {
      const members = new Uint8Array(count);
      const inside = maskOf(set);
      ofByte.forEach((name, byte) => {
        members[name] = inside[byte] ?? 0;
      });
      return members;
    },
  };
}

function maskOf(set: ByteSet): Uint8Array {
  const mask = new Uint8Array(256);
  for (const [first, last] of rangesOf(set)) mask.fill(1, first, last + 1);
  return mask;
}
