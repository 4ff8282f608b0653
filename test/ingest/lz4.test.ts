// LZ4 as clients write it, of every form of frame, and what is none; never more than the limit.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompressLz4 } from "../../ingest/lz4.ts";
import { xxhash32 } from "../../ingest/xxhash32.ts";
import { blockOf, compressLz4, frameOf, uint32, type Sequence } from "./lz4-fixture.ts";

const limit = 1_000_000;
const decode = (body: Buffer, maxOutputLength = limit) => decompressLz4(body, { maxOutputLength });
const lines = Buffer.from("line of a log é\n".repeat(1000));
/** As Python's lz4 4.4 writes them. */
const written = {
  /** As scalyr-agent-2 calls it: level 9, blocks for themselves, the size in the header. */
  agent:
    "BCJNGGhAaEIAAAAAAAAIXgAAAP8CbGluZSBvZiBhIGxvZyDDqQoRAP///////////////////////////////////////////////////////////////////////////////////////4FQZyDDqQoAAAAA",
  empty: "BCJNGGBAggAAAAA=",
};

test.each([
  ["", 0x02cc5d05],
  ["a", 0x550d7456],
  ["abc", 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0xe2293b2f],
])("the checksum of %j is that of the reference", (text, checksum) => {
  expect(xxhash32(Buffer.from(text))).toBe(checksum);
});

describe("a frame", () => {
  test("of Scalyr's agent", async () => {
    expect(await decode(Buffer.from(written.agent, "base64"))).toEqual(lines);
    expect(await decode(Buffer.from(written.empty, "base64"))).toHaveLength(0);
  });

  test("of any sequences, in blocks for themselves or linked", async () => {
    const sequence = fc.record({
      literals: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 300, maxLength: 600 }),
      ),
      // A part of what there is to copy from.
      back: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 270, max: 900 })),
    });
    const blocks = fc.array(
      fc.record({ isStored: fc.boolean(), sequences: fc.array(sequence, { maxLength: 8 }) }),
      { maxLength: 4 },
    );
    const property = fc.asyncProperty(
      blocks,
      fc.boolean(),
      fc.boolean(),
      async (given, isLinked, hasChecksums) => {
        let content = Buffer.alloc(0);
        const made = given.map(({ isStored, sequences }) => {
          const start = content.length;
          const parts: Sequence[] = [];
          for (const { literals, back, length } of sequences) {
            content = Buffer.concat([content, literals]);
            const room = Math.min(65_535, content.length - (isLinked ? 0 : start));
            if (room === 0) continue;
            const offset = Math.max(1, Math.floor(back * room));
            for (let index = 0; index < length; index++) {
              content = Buffer.concat([
                content,
                content.subarray(content.length - offset).subarray(0, 1),
              ]);
            }
            parts.push({ literals: Buffer.from(literals), match: { offset, length } });
          }
          const stored = content.subarray(start);
          return isStored && stored.length > 0
            ? { stored }
            : blockOf([...parts, { literals: Buffer.alloc(0) }]);
        });
        const options = { isLinked, hasChecksums, contentBytes: content.length, content };
        expect(await decode(frameOf(made, hasChecksums ? options : { isLinked }))).toEqual(content);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  test("may follow another, or one that is skipped", async () => {
    const skipped = Buffer.concat([uint32(0x184d2a53), uint32(5), Buffer.from("abcde")]);
    const frames = [compressLz4(lines), skipped, compressLz4(lines)];
    expect(await decode(Buffer.concat(frames))).toEqual(Buffer.concat([lines, lines]));
  });
});

describe("more than the limit", () => {
  const bomb = blockOf([
    { literals: Buffer.from("x"), match: { offset: 1, length: 4_000_000 } },
    { literals: Buffer.alloc(0) },
  ]);

  test.each([
    ["in a block", frameOf([bomb])],
    ["in the header", frameOf([], { contentBytes: 2 ** 60 })],
    ["in a stored block", frameOf([{ stored: Buffer.alloc(limit + 1) }])],
    ["in many frames", Buffer.concat(Array.from({ length: 63 }, () => compressLz4(lines)))],
  ])("%s is refused", async (_, body) => {
    await expect(decode(body)).rejects.toMatchObject({ code: "ERR_BUFFER_TOO_LARGE" });
  });

  test("is one byte more, and not the limit itself", async () => {
    const body = compressLz4(lines);
    expect(await decode(body, lines.length)).toEqual(lines);
    await expect(decode(body, lines.length - 1)).rejects.toMatchObject({
      code: "ERR_BUFFER_TOO_LARGE",
    });
  });

  test("is never allocated", async () => {
    const body = frameOf(Array.from({ length: 100 }, () => bomb));
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    for (let round = 0; round < 20; round++) {
      await expect(decode(body)).rejects.toThrow();
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    expect(peak).toBeLessThan(20 * limit + 20 * 1024 * 1024);
  });
});

describe("what is none", () => {
  const good = frameOf([blockOf([{ literals: lines.subarray(0, 100) }])], {
    hasChecksums: true,
    content: lines.subarray(0, 100),
  });
  const changed = (place: number) => {
    const bytes = Buffer.from(good);
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes;
  };
  const match = (offset: number) => [
    { literals: Buffer.from("ab"), match: { offset, length: 4 } },
    { literals: Buffer.alloc(0) },
  ];

  test.each([
    ["another magic number", Buffer.from("nothing of it"), "no frame of LZ4"],
    [
      "a frame, and then something else",
      Buffer.concat([good, Buffer.from("rest")]),
      "no frame of LZ4",
    ],
    ["a checksum of the header", changed(6), "the checksum of a frame's header is wrong"],
    ["a checksum of a block", changed(20), "the checksum of a block is wrong"],
    ["a checksum of the content", changed(good.length - 1), "the checksum of the content is wrong"],
    ["another version", frameOf([]).fill(0x20, 4, 5), "an unknown form of frame"],
    ["an unknown size of blocks", frameOf([], { blockCode: 3 }), "an unknown form of frame"],
    ["a dictionary", frameOf([]).fill(0x61, 4, 5), "a frame that needs a dictionary"],
    [
      "another size than it says",
      frameOf([], { contentBytes: 1 }),
      "0 bytes where the header says 1",
    ],
    ["a copy from before the block", frameOf([blockOf(match(3))]), "an offset of 3 after 2 bytes"],
    ["a copy from nowhere", frameOf([blockOf(match(0))]), "an offset of 0 after 2 bytes"],
    [
      "a copy from the block before",
      frameOf([blockOf([{ literals: lines }]), blockOf(match(3))]),
      "an offset of 3 after 2 bytes",
    ],
    [
      "a block that is too large",
      frameOf([blockOf([{ literals: Buffer.alloc(65_537) }])], { blockCode: 4 }),
      "are allowed",
    ],
    [
      "a block that becomes too large",
      frameOf(
        [
          blockOf([
            { literals: Buffer.from("x"), match: { offset: 1, length: 65_536 } },
            { literals: Buffer.alloc(0) },
          ]),
        ],
        { blockCode: 4 },
      ),
      "a block of more than 65536 bytes",
    ],
  ])("%s is refused", async (_, body, fault) => {
    await expect(decode(body)).rejects.toThrow(fault);
  });

  test("a frame that ends anywhere but at its end is refused", async () => {
    for (let length = 1; length < good.length; length++) {
      await expect(decode(good.subarray(0, length))).rejects.toThrow(/missing/);
    }
  });

  test("any bytes are decoded or refused, and never hang", async () => {
    const place = fc.nat(good.length - 1);
    const bytes = fc.oneof(
      fc
        .uint8Array()
        .map((block) => frameOf([Buffer.from(block)].filter(({ length }) => length > 0))),
      fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 3 }).map((changes) => {
        const body = Buffer.from(good);
        for (const [at, byte] of changes) body[at] = byte;
        return body;
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (body) => {
        const result = await decode(body).catch((error: unknown) => error);
        if (Buffer.isBuffer(result)) expect(result.length).toBeLessThanOrEqual(limit);
        else expect(result).toBeInstanceOf(Error);
      }),
      { numRuns: 1000 },
    );
  });
});
