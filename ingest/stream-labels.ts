// The labels of a stream: checked, encoded and assigned to a partition once, however many events it has.
import { LogboomError } from "../schemas/errors.ts";
import { encodeLabels } from "../schemas/event-writer.ts";
import { partitionOf } from "../schemas/partition.ts";
import type { Principal } from "./tokens.ts";

const MAX_LABEL_BYTES = 255;
/** Streams seen lately; beyond it the cache starts anew, so that made-up labels cannot fill the memory. */
const MAX_CACHED_STREAMS = 50_000;

/** A stream that events are written to. */
export interface Stream {
  readonly partition: number;
  /** customer and the four labels as Avro */
  readonly encodedLabels: Buffer;
}

/** The four labels of an event. */
export type Labels = readonly [string, string, string, string];

/** Maps within maps, so many levels deep, to a stream. */
type Nested<Depth extends number> = Depth extends 1
  ? Map<string, Stream>
  : Map<string, Nested<Depth extends 5 ? 4 : Depth extends 4 ? 3 : Depth extends 3 ? 2 : 1>>;

export class StreamLabels {
  readonly #partitionCount: number;
  /**
   * By customer, then label by label: to join the labels into one key for every event would cost more
   * than four lookups.
   */
  readonly #streams: Nested<5> = new Map();
  #size = 0;

  constructor(partitionCount: number) {
    this.#partitionCount = partitionCount;
  }

  /** @throws LogboomError BAD_REQUEST for a label out of bounds, NO_PERMISSION for one outside the token's. */
  resolve(principal: Principal, labels: Labels): Stream {
    checkPermission(principal, labels);
    const [prefix0, prefix1, prefix2, prefix3] = labels;
    const known = this.#streams
      .get(principal.customer)
      ?.get(prefix0)
      ?.get(prefix1)
      ?.get(prefix2)
      ?.get(prefix3);
    if (known !== undefined) return known;
    labels.forEach(checkLabel);
    const stream = {
      partition: partitionOf(principal.customer, prefix0, this.#partitionCount),
      encodedLabels: encodeLabels([principal.customer, ...labels]),
    };
    this.#remember(principal.customer, labels, stream);
    return stream;
  }

  #remember(customer: string, [p0, p1, p2, p3]: Labels, stream: Stream): void {
    if (++this.#size > MAX_CACHED_STREAMS) {
      this.#streams.clear();
      this.#size = 1;
    }
    const byFirst = this.#streams.getOrInsertComputed(customer, () => new Map());
    const bySecond = byFirst.getOrInsertComputed(p0, () => new Map());
    const byThird = bySecond.getOrInsertComputed(p1, () => new Map());
    byThird.getOrInsertComputed(p2, () => new Map()).set(p3, stream);
  }
}

function checkPermission({ prefixes, tokenId }: Principal, labels: Labels): void {
  for (let index = 0; index < 4; index++) {
    const allowed = prefixes[index] ?? "";
    if (allowed !== "" && !labels[index]?.startsWith(allowed)) {
      throw new LogboomError(
        "NO_PERMISSION",
        `the token may only write labels prefix${index} that start with "${allowed}", not "${labels[index]}"`,
        {
          details: { field: `prefix${index}`, value: labels[index] ?? "", limit: allowed, tokenId },
        },
      );
    }
  }
}

function checkLabel(label: string, index: number): void {
  const field = `prefix${index}`;
  const sizeBytes = Buffer.byteLength(label, "utf8");
  if (sizeBytes > MAX_LABEL_BYTES) {
    throw new LogboomError(
      "BAD_REQUEST",
      `the label "${label.slice(0, 40)}…" in "${field}" has ${sizeBytes} bytes; the limit is ${MAX_LABEL_BYTES}`,
      { details: { field, value: label.slice(0, 40), limit: MAX_LABEL_BYTES } },
    );
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const control = /[\u0000-\u001f\u007f-\u009f]/.exec(label);
  if (control !== null || !label.isWellFormed()) {
    const shown = JSON.stringify(label.toWellFormed());
    const fault =
      control === null ? "an unpaired surrogate" : `a control character at offset ${control.index}`;
    throw new LogboomError("BAD_REQUEST", `the label ${shown} in "${field}" holds ${fault}`, {
      details: { field, value: shown },
    });
  }
}
