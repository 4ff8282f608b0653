// Regular expressions that a person wrote in RE2's syntax: checked, run, and made fit for ClickHouse.
import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";
import { queryError } from "./query-cursor.ts";

export interface Re2 {
  /** The expression with its flags; ClickHouse is given it as it is. */
  readonly text: string;
  /** The numbers of the named groups. */
  readonly groups: ReadonlyMap<string, number>;
  /** Texts that every match holds; at most a few. */
  readonly literals: readonly string[];
  /** Whether the expression matches somewhere in the text. Linear in its length. */
  test(this: void, text: string): boolean;
  /** What a group captures in the first match; undefined = no match, or the group takes no part. */
  capture(this: void, text: string, group: number): string | undefined;
}

/** RE2 in ClickHouse takes much larger ones; this bounds the time that one of ours may take. */
const maxInstructions = 10_000;
const maxCharacters = 2_000;

/**
 * Compiles an expression that searches within a text; "." matches line breaks, too.
 * @param offset of the expression in the query, for errors
 * @throws LogboomError BAD_REQUEST with `details.offset`
 */
export function compileRe2(source: string, ignoreCase: boolean, offset: number): Re2 {
  if (source.length > maxCharacters) {
    const limit = String(maxCharacters);
    throw queryError(
      offset,
      `the expression has more than ${limit} characters`,
      "write a shorter one",
    );
  }
  const text = `${ignoreCase ? "(?is)" : "(?s)"}${source}`;
  const compiled = compileText(text, source, offset);
  if (compiled.programSize() > maxInstructions) {
    throw queryError(offset, "the expression is too complex", "write smaller repetitions");
  }
  const named = Object.entries(compiled.namedGroups());
  return {
    text,
    groups: new Map(named),
    literals: ignoreCase ? [] : literalsOf(source),
    test: (given) => compiled.matcher(given).find(),
    capture(given, group) {
      const matcher = compiled.matcher(given);
      return matcher.find() ? (matcher.group(group) ?? undefined) : undefined;
    },
  };
}

function compileText(text: string, source: string, offset: number): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const part = error instanceof RE2JSSyntaxException ? error.getPattern() : null;
    const at = part === null ? source.length : source.indexOf(part);
    const what = error instanceof RE2JSSyntaxException ? error.getDescription() : error.message;
    const shown = part === null || at < 0 ? what : `${what} "${part}"`;
    throw queryError(offset + Math.max(at, 0), `in the expression: ${shown}`, "write RE2's syntax");
  }
}

/** One step of the walk over an expression: what stands alone at its top level. */
const step =
  /\\Q|\\([^0-9A-Za-z])|\\(?:x\{[^}]*\}|x..|[pP](?:\{[^}]*\}|.)|[0-7]{1,3}|.)|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|[()|]|\{\d+(?:,\d*)?\}\??|[*+?]\??|[.^$]|([^])/suy;

/** The texts that stand at the top level and are not optional. None when that is not evident. */
function literalsOf(source: string): string[] {
  if (/\(\?[A-Za-z-]*[:)]/.test(source.replaceAll("(?:", ""))) return [];
  const found: string[] = [];
  let run: string[] = [];
  let depth = 0;
  const flush = () => {
    if (run.length > 1) found.push(run.join(""));
    run = [];
  };
  step.lastIndex = 0;
  while (step.lastIndex < source.length) {
    const [all, escaped, plain] = step.exec(source) ?? [];
    if (all === undefined || all === "\\Q" || (all === "|" && depth === 0)) return [];
    const literal = depth === 0 ? (escaped ?? plain) : undefined;
    if (literal !== undefined) run.push(literal);
    else {
      if (/^[*?{]/.test(all)) run.pop();
      flush();
      if (all === "(") depth += 1;
      if (all === ")") depth -= 1;
    }
  }
  flush();
  return found.toSorted((a, b) => b.length - a.length).slice(0, 3);
}
