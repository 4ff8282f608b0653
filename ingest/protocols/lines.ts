// Splits a body of text into lines without decoding it.

const LF = 0x0a;
const CR = 0x0d;

/**
 * The lines of a text: separated by `\n` or `\r\n`, or also by a lone `\r` when `splitsAtCr` is set. The
 * empty text after the last separator is no line; other empty lines are.
 */
export function* splitLines(body: Buffer, splitsAtCr = false): Generator<Buffer> {
  const hasCr = splitsAtCr && body.includes(CR);
  let start = 0;
  while (start < body.length) {
    let lineFeed = body.indexOf(LF, start);
    if (lineFeed < 0) lineFeed = body.length;
    let end = lineFeed;
    if (end < body.length && end > start && body[end - 1] === CR) end--;
    if (hasCr) yield* splitAtCr(body.subarray(start, end), lineFeed < body.length);
    else yield body.subarray(start, end);
    start = lineFeed + 1;
  }
}

/** @param isTerminated whether a separator follows: then what is left, if only nothing, is a line */
function* splitAtCr(line: Buffer, isTerminated: boolean): Generator<Buffer> {
  let start = 0;
  for (;;) {
    const end = line.indexOf(CR, start);
    if (end < 0) break;
    yield line.subarray(start, end);
    start = end + 1;
  }
  // A trailing "\r" at the very end of the body is a separator as well, and nothing follows it.
  if (start < line.length || start === 0 || isTerminated) yield line.subarray(start);
}
