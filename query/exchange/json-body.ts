// Bodies of vendors' requests that are JSON objects.
import { LogboomError } from "../../schemas/errors.ts";
import { locateJsonFault } from "../../ingest/protocols/json-fault.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** @throws LogboomError BAD_REQUEST with line and offset of the fault */
export function readJsonObject(body: Buffer): Fields {
  const text = body.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { reason, line, offset } = locateJsonFault(text, error);
    throw new LogboomError(
      "BAD_REQUEST",
      `invalid JSON in line ${line} at offset ${offset}: ${reason}`,
      { details: { line, offset }, cause: error },
    );
  }
  if (isFields(value)) return value;
  throw new LogboomError("BAD_REQUEST", "the body is no JSON object");
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function badField(name: string, value: unknown, expected: string): LogboomError {
  const shown = value === undefined ? "nothing" : (JSON.stringify(value) ?? "").slice(0, 100);
  return new LogboomError("BAD_REQUEST", `unexpected ${shown} in "${name}"; expected ${expected}`, {
    details: { field: name, value: shown },
  });
}
