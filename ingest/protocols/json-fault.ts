// Finds where a text stops being JSON, because JSON.parse does not always tell.
import { parse, printParseErrorCode, type ParseError } from "jsonc-parser";

export interface JsonFault {
  /** what is wrong, such as "ValueExpected" */
  readonly reason: string;
  /** characters from the start of the text */
  readonly offset: number;
  /** from 1 */
  readonly line: number;
}

/** The first fault of a text that JSON.parse has refused with `error`. */
export function locateJsonFault(text: string, error: unknown): JsonFault {
  const faults: ParseError[] = [];
  parse(text, faults, { disallowComments: true, allowTrailingComma: false });
  const [first] = faults;
  const offset = first?.offset ?? text.length;
  return {
    reason: first === undefined ? String(error) : printParseErrorCode(first.error),
    offset,
    line: text.slice(0, offset).split("\n").length,
  };
}
