// What a monitor expects of its source.
import { UsageError } from "../../cli-call.ts";
import { refuseMore } from "../client-options.ts";
import { ChangeMatcher } from "./change-matcher.ts";
import type { Sections } from "./sections.ts";
import type { Source } from "./source.ts";

export interface Verdict {
  /** "unknown": there is nothing yet to compare with. */
  readonly outcome: "success" | "failure" | "unknown";
  /** What was seen, in a few words. */
  readonly result: string;
  readonly diff?: string;
  readonly content?: string;
}

export interface Matcher {
  readonly name: string;
  /** @throws LogboomError when the source cannot be read */
  match(source: Source): Promise<Verdict>;
}

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  "<": (value, bound) => value < bound,
  ">": (value, bound) => value > bound,
  "=": (value, bound) => value === bound,
  ">=": (value, bound) => value >= bound,
  "<=": (value, bound) => value <= bound,
  "!=": (value, bound) => value !== bound,
};

export function readMatcher(sections: Sections): Matcher {
  const { values, positionals } = sections.read({
    options: {
      "show-diff": { type: "boolean" },
      "show-content": { type: "boolean" },
      "state-file": { type: "string" },
    },
    words: 1,
    until: ["notify"],
  });
  const [kind, ...words] = positionals;
  if (kind === "count") {
    if (Object.keys(values).length > 0) throw new UsageError("the matcher count has no options");
    return readCount(words);
  }
  refuseMore(words, 0, "the matcher changed takes options alone");
  return new ChangeMatcher({
    showsDiff: values["show-diff"] === true,
    showsContent: values["show-content"] === true,
    stateFile: values["state-file"],
  });
}

function readCount(words: readonly string[]): Matcher {
  const [unit = "", operator = "", number = ""] = words;
  const compare = Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
  if (!["lines", "bytes"].includes(unit) || compare === undefined || !/^\d{1,15}$/.test(number)) {
    const operators = Object.keys(comparisons).join(" ");
    throw new UsageError(
      `the matcher count takes lines or bytes, one of ${operators} (in quotes), and a number`,
    );
  }
  refuseMore(words, 3, "the matcher count takes a unit, a comparison and a number");
  return {
    name: `count ${words.join(" ")}`,
    match: async (source) => {
      const value =
        unit === "lines" ? await source.countLines() : Buffer.byteLength(await source.readText());
      return {
        outcome: compare(value, Number(number)) ? "success" : "failure",
        result: `${value} ${unit}`,
      };
    },
  };
}
