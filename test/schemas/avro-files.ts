// Reads and writes container files by avsc's own streams, which know nothing of our codec.
import avsc from "avsc";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { avroType } from "../../schemas/event-codec.ts";

/** All objects of a container file, resolved to a reader's type; a long is a bigint. */
export async function readWithAvsc(file: Buffer, readerType?: avsc.Type): Promise<unknown[]> {
  const decoder = new avsc.streams.BlockDecoder({
    // The declared options say Schema; a type is one, and keeps its own longs.
    parseHook: (schema: avsc.Schema) => avroType(JSON.stringify(schema)),
    ...(readerType && { readerSchema: readerType }),
  });
  const objects: unknown[] = [];
  decoder.on("data", (object: unknown) => objects.push(object));
  Readable.from([file], { objectMode: false }).pipe(decoder);
  await once(decoder, "end");
  return objects;
}

/** A container file as another writer makes it. */
export async function writeWithAvsc(
  type: avsc.Type,
  objects: readonly unknown[],
  options: { readonly codec?: string; readonly blockSize?: number } = {},
): Promise<Buffer> {
  const encoder = new avsc.streams.BlockEncoder(type, {
    codec: options.codec ?? "null",
    ...(options.blockSize !== undefined && { blockSize: options.blockSize }),
  });
  const written = buffer(encoder);
  for (const object of objects) encoder.write(object);
  encoder.end();
  return written;
}
