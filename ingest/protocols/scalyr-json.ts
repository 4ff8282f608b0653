// The bodies of Scalyr's API: JSON objects in the vendor's relaxed form.
import { LogboomError } from "../../schemas/errors.ts";
import { parseRelaxedJson, type RelaxedObject, type RelaxedValue } from "./relaxed-json.ts";

/** A number that a JavaScript number may not hold exactly, or a text that looks like one. */
const longNumber = /[\s:,[-]\d{16}/;

/** Where a string has its length in front; within JSON it can only be part of a string. */
const LENGTH_PREFIX = ":`s";

/**
 * Most clients write plain JSON, which the native parser reads several times faster.
 * @throws LogboomError BAD_REQUEST with the offset of the first fault, or when the body is no object
 */
export function parseScalyrBody(body: Buffer): RelaxedObject {
  const value = parseStrictOrRelaxed(body);
  if (isObject(value)) return value;
  throw new LogboomError("BAD_REQUEST", 'unexpected value in "body"; expected an object', {
    details: { field: "body" },
  });
}

function parseStrictOrRelaxed(body: Buffer): RelaxedValue {
  if (body.includes(LENGTH_PREFIX)) {
    try {
      return parseRelaxedJson(body);
    } catch {
      // JSON may be nested deeper.
    }
  }
  try {
    const text = body.toString("utf8");
    const value = JSON.parse(text) as RelaxedValue;
    if (!longNumber.test(text) || !hasLargeNumber(value)) return value;
  } catch {
    // Read as what it is below, which also tells the fault.
  }
  return parseRelaxedJson(body);
}

/** Whether a number is so large that others were rounded to it. */
function hasLargeNumber(root: RelaxedValue): boolean {
  // No recursion: the native parser reads any depth.
  const waiting = [root];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value === "number") {
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return true;
    } else if (typeof value === "object" && value !== null) {
      for (const part of Object.values(value as RelaxedObject)) waiting.push(part);
    }
  }
  return false;
}

export function isObject(value: RelaxedValue | undefined): value is RelaxedObject {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
  );
}

/** The value in JSON's own types: bytes as UTF-8, whole numbers that a number does not hold as their digits. */
export function toPlain(value: RelaxedValue): unknown {
  if (typeof value === "bigint") return String(value);
  if (Buffer.isBuffer(value)) return value.toString("utf8");
  if (Array.isArray(value)) return (value as readonly RelaxedValue[]).map(toPlain);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, toPlain(part)]));
}
