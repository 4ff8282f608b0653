// `logboom dead-letters [replay]`: what the store refused, shown, and sent through the log again.
import { setTimeout as sleep } from "node:timers/promises";
import { LogboomError } from "../schemas/errors.ts";
import type { Log } from "../ingest/log/log.ts";
import {
  letterId,
  readEvents,
  readLetters,
  requestReplays,
  type DeadLetter,
} from "../consumers/dead-letters.ts";
import { parseCall, UsageError } from "./cli-call.ts";

export const deadLetterUsage = `  logboom dead-letters [--json]
  logboom dead-letters replay ID… | --all [--wait SECONDS]
    The consumers append them to the log again. A letter that this version cannot read stays.`;

const DEFAULT_WAIT_SECONDS = 15;
const ASK_AGAIN_MS = 500;

export async function runDeadLetterCommand(log: Log, args: readonly string[]): Promise<void> {
  if (args[0] === "replay") await replay(log, args.slice(1));
  else await show(log, args);
}

async function show(log: Log, args: readonly string[]): Promise<void> {
  const { values } = parseCall({ args: [...args], options: { json: { type: "boolean" } } });
  const letters = [...(await readLetters(log)).values()];
  if (values.json) {
    console.log(JSON.stringify(letters.map((letter) => ({ id: letterId(letter), ...letter }))));
    return;
  }
  for (const letter of letters) {
    console.log([letter.at, letter.reason, letterId(letter), letter.message].join("  "));
  }
  console.log(`${letters.length} dead letters`);
}

/** Asks for the replay of letters, and waits for it for a while. */
async function replay(log: Log, args: readonly string[]): Promise<void> {
  const { values, positionals } = parseCall({
    args: [...args],
    options: { all: { type: "boolean" }, wait: { type: "string" } },
    allowPositionals: true,
  });
  if ((values.all === true) === positionals.length > 0) {
    throw new UsageError("dead-letters replay takes IDs, or --all");
  }
  const waitSeconds = Number(values.wait ?? DEFAULT_WAIT_SECONDS);
  if (!(waitSeconds >= 0)) throw new UsageError(`--wait "${values.wait}" must be seconds`);

  const letters = await readLetters(log);
  const chosen = values.all ? [...letters.values()] : positionals.map((id) => find(letters, id));
  const readable = chosen.filter((letter) => {
    const reason = whyUnreadable(letter);
    if (reason !== undefined) console.log(`${letterId(letter)}  stays: ${reason}`);
    return reason === undefined;
  });
  if (readable.length > 0) await requestReplays(log, readable);
  const ids = readable.map(letterId);
  const waiting = await waitUntilDone(log, ids, waitSeconds * 1000);
  const left = await readLetters(log);
  for (const id of ids) {
    if (waiting.has(id)) console.log(`${id}  asked for: done as soon as consumers run`);
    else if (left.has(id)) console.log(`${id}  stays: the consumers cannot read it; see their log`);
    else console.log(`${id}  replayed`);
  }
  const staying = chosen.filter((letter) => left.has(letterId(letter))).length - waiting.size;
  if (staying > 0) {
    throw new LogboomError("BAD_REQUEST", `${staying} of ${chosen.length} dead letters stay`);
  }
}

function find(letters: ReadonlyMap<string, DeadLetter>, id: string): DeadLetter {
  const letter = letters.get(id);
  if (letter !== undefined) return letter;
  throw new LogboomError("NOT_FOUND", `no dead letter "${id}"; nothing was replayed`);
}

function whyUnreadable(letter: DeadLetter): string | undefined {
  try {
    readEvents(letter);
    return undefined;
  } catch (error) {
    return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The letters of which the replay is still to come when the time is over. */
async function waitUntilDone(
  log: Log,
  ids: readonly string[],
  waitMs: number,
): Promise<Set<string>> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const wanted = await readLetters(log, "replays");
    const waiting = new Set(ids.filter((id) => wanted.has(id)));
    if (waiting.size === 0 || performance.now() >= deadline) return waiting;
    await sleep(ASK_AGAIN_MS);
  }
}
