// Finds where a text stops being JSON, because JSON.parse does not always tell.
import { printParseErrorCode, visit, type ParseErrorCode } from "jsonc-parser";

export interface JsonFault {
  /** what is wrong, such as "ValueExpected" */
  readonly reason: string;
  /** characters from the start of the text */
  readonly offset: number;
  /** from 1 */
  readonly line: number;
}

/** Ends the parser at the first fault: a text of nothing but faults would fill the memory with them. */
class FirstFault {
  readonly code: ParseErrorCode;
  readonly offset: number;

  constructor(code: ParseErrorCode, offset: number) {
    this.code = code;
    this.offset = offset;
  }
}

/** The first fault of a text that JSON.parse has refused with `error`. */
export function locateJsonFault(text: string, error: unknown): JsonFault {
  let offset = text.length;
  let reason = error instanceof Error ? error.message : String(error);
  try {
    visit(
      text,
      {
        onError: (code, at) => {
          throw new FirstFault(code, at);
        },
      },
      { disallowComments: true, allowTrailingComma: false },
    );
  } catch (thrown) {
    if (thrown instanceof FirstFault) {
      offset = thrown.offset;
      reason = printParseErrorCode(thrown.code);
    } else if (!(thrown instanceof RangeError)) {
      throw thrown;
    }
    // Brackets nested too deep for the parser's stack: JSON.parse has said what is wrong, if not where.
  }
  return { reason, offset, line: text.slice(0, offset).split("\n").length };
}
