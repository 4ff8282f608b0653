// A body that is one event, however many lines it has.

const LF = 0x0a;
const CR = 0x0d;

/** The body without the line break that ends it, which is the sender's framing and no part of the event. */
export function wholeBody(body: Buffer): Buffer {
  let end = body.length;
  if (body[end - 1] === LF) end--;
  if (end < body.length && body[end - 1] === CR) end--;
  return body.subarray(0, end);
}
