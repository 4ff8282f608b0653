// A monitor is called as one line of words: options, a source, a matcher and a notifier, each with options of its own.
import type { ParseArgsConfig } from "node:util";
import { parseCall, UsageError } from "../../cli-call.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

interface Section<Given extends Options> {
  readonly options: Given;
  /** Words that belong to the section, whatever they are. */
  readonly words: number;
  /** What the next section begins with; without it, the section goes to the end. */
  readonly until?: readonly string[];
}

export class Sections {
  readonly #args: readonly string[];
  #at = 0;

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** Whether the next section begins with this word. */
  startsWith(word: string): boolean {
    return this.#args[this.#at] === word;
  }

  /** The options and words of the next section. */
  read<const Given extends Options>(section: Section<Given>) {
    const end = this.#endOf(section);
    const args = this.#args.slice(this.#at, end);
    this.#at = end;
    return parseCall({ args, options: section.options, allowPositionals: true });
  }

  #endOf({ options, words, until }: Section<Options>): number {
    if (until === undefined) return this.#args.length;
    let seen = 0;
    for (let at = this.#at; at < this.#args.length; at++) {
      const arg = this.#args[at] ?? "";
      if (/^-./.test(arg)) {
        if (takesValue(arg, options)) at++;
      } else {
        if (seen >= words && until.includes(arg)) return at;
        seen++;
      }
    }
    throw new UsageError(
      `monitor takes a source, a matcher and a notifier: no ${until.join(" or ")}`,
    );
  }
}

/** Whether the next word is the option's value; `--name=value` holds its own. */
function takesValue(arg: string, options: Options): boolean {
  const name = arg.replace(/^--?/, "");
  return Object.entries(options).some(
    ([long, { type, short }]) =>
      type === "string" && (arg.startsWith("--") ? long === name : short === name),
  );
}
