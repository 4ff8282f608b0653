// Whether a source's text is another one than at the run before.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createTwoFilesPatch } from "diff";
import { LogboomError } from "../../../schemas/errors.ts";
import type { Matcher, Verdict } from "./matcher.ts";
import type { Source } from "./source.ts";

/** What is shown is for people. */
const MAX_SHOWN_CHARACTERS = 64 * 1024;
/** Comparing texts that have little in common takes time that grows with the square. */
const MAX_EDITS = 5_000;
const MAX_DIFF_MS = 2_000;

interface ChangeOptions {
  readonly showsDiff: boolean;
  readonly showsContent: boolean;
  /** Keeps the text from one start to the next. */
  readonly stateFile: string | undefined;
}

export class ChangeMatcher implements Matcher {
  readonly name = "changed";
  readonly #options: ChangeOptions;
  #former: string | undefined;

  constructor(options: ChangeOptions) {
    this.#options = options;
    if (options.stateFile !== undefined) this.#former = readState(options.stateFile);
  }

  async match(source: Source): Promise<Verdict> {
    const { showsDiff, showsContent, stateFile } = this.#options;
    const former = this.#former;
    const text = await source.readText();
    if (text !== former && stateFile !== undefined) writeState(stateFile, text);
    this.#former = text;
    const content = showsContent ? { content: cut(text) } : {};
    if (former === undefined) return { outcome: "unknown", result: "seen for the first time" };
    if (text === former) return { outcome: "failure", result: "unchanged", ...content };
    return {
      outcome: "success",
      result: "changed",
      ...(showsDiff && { diff: cut(compare(former, text)) }),
      ...content,
    };
  }
}

function compare(former: string, text: string): string {
  const patch = createTwoFilesPatch("before", "now", former, text, undefined, undefined, {
    maxEditLength: MAX_EDITS,
    timeout: MAX_DIFF_MS,
  });
  return patch ?? "too much is different to be shown\n";
}

function cut(text: string): string {
  if (text.length <= MAX_SHOWN_CHARACTERS) return text;
  return `${text.slice(0, MAX_SHOWN_CHARACTERS)}\n… ${text.length - MAX_SHOWN_CHARACTERS} characters more\n`;
}

function readState(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw stateError(path, error);
  }
}

/** As a whole or not at all, and for its owner alone: it is what somebody's logs hold. */
function writeState(path: string, text: string): void {
  const next = `${path}.next`;
  try {
    writeFileSync(next, text, { mode: 0o600 });
    renameSync(next, path);
  } catch (error) {
    throw stateError(path, error);
  }
}

function stateError(path: string, cause: unknown): LogboomError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LogboomError("BAD_REQUEST", `--state-file "${path}": ${reason}`, { cause });
}
