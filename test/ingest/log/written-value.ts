// What the writer writes under a name: of many sizes, and nothing that a torn write could look like.
import { createHash } from "node:crypto";

export function valueOf(name: string): Buffer {
  const digest = createHash("sha256").update(name).digest();
  const size = (digest[0] ?? 0) * (digest[1] ?? 0);
  const head = Buffer.from(`${name}\n${digest.toString("hex")}\n`);
  return Buffer.concat([head, Buffer.alloc(size, digest)]);
}

/** The name of a value that is whole; fails for any other. */
export function nameOf(value: Buffer): string {
  const name = value.toString("utf8", 0, value.indexOf("\n"));
  if (!value.equals(valueOf(name))) throw new Error(`the record of "${name}" is damaged`);
  return name;
}
