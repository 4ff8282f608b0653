// `logboom monitor …`: looks at a source again and again, and tells somebody what it finds.
import { setTimeout as sleep } from "node:timers/promises";
import { Cron } from "croner";
import { LogboomError } from "../../../schemas/errors.ts";
import { UsageError } from "../../cli-call.ts";
import { joinPrefixes, readWhole, refuseMore } from "../client-options.ts";
import { tell } from "../output.ts";
import { readHttpSource } from "./http-source.ts";
import { readMatcher, type Matcher, type Verdict } from "./matcher.ts";
import { readNotifier, type Notifier } from "./notifier.ts";
import { readQuerySource } from "./query-source.ts";
import { Sections } from "./sections.ts";
import type { Source } from "./source.ts";

const DEFAULT_TITLE = "logboom monitor";
const DEFAULT_SCHEDULE = "*/15 * * * *";
/** Clocks are set and machines sleep: a long wait is made of short ones. */
const LONGEST_WAIT_MS = 60_000;

export const monitorUsage = `  logboom monitor [--title T] [--schedule CRON] [--jitter MS] [-r N] SOURCE MATCHER NOTIFIER
    SOURCE is query REGEX TOKEN [--customer C] [--from TIME] [--to TIME] [--prefix 0..3 VALUE] …
      or http URL [--timeout MS] [--header "NAME: VALUE"] … [--method METHOD] [--split-lines]
    MATCHER is count lines|bytes '<|>|=|>=|<=|!=' N or changed [--show-diff] [--show-content] [--state-file FILE]
    NOTIFIER is notify console [--json], notify webhook URL [--header "NAME: VALUE"] …
      or notify pushover --po-api-token TOKEN --po-user-key KEY [--priority -2..2]`;

interface Monitor {
  readonly title: string;
  readonly source: Source;
  readonly matcher: Matcher;
  readonly notifier: Notifier;
}

/** @throws LogboomError at the end when a run failed or nobody could be told */
export async function runMonitorCommand(args: readonly string[]): Promise<void> {
  const { schedule, jitterMs, repeat, ...monitor } = readMonitor(args);
  let failures = 0;
  let runs = 0;
  while (repeat === 0 || runs < repeat) {
    const next = schedule.nextRun();
    if (next === null) break;
    await waitUntil(next);
    await sleep(Math.random() * jitterMs);
    runs++;
    if (!(await run(monitor))) failures++;
  }
  if (failures === 0) return;
  throw new LogboomError("BAD_REQUEST", `${failures} of ${runs} runs failed`);
}

function readMonitor(args: readonly string[]) {
  const sections = new Sections(joinPrefixes(args));
  const { values, positionals } = sections.read({
    options: {
      title: { type: "string" },
      schedule: { type: "string" },
      jitter: { type: "string" },
      repeat: { type: "string", short: "r" },
    },
    words: 0,
    until: ["query", "http"],
  });
  refuseMore(positionals, 0, "monitor takes options and then query or http");
  const { title = DEFAULT_TITLE, schedule = DEFAULT_SCHEDULE, jitter = "0", repeat = "0" } = values;
  return {
    title,
    schedule: readSchedule(schedule),
    jitterMs: readWhole("--jitter", jitter, { minimum: 0, maximum: 86_400_000 }),
    repeat: readWhole("--repeat", repeat, { minimum: 0, maximum: 1e9 }),
    source: sections.startsWith("http") ? readHttpSource(sections) : readQuerySource(sections),
    matcher: readMatcher(sections),
    notifier: readNotifier(sections),
  };
}

function readSchedule(pattern: string): Cron {
  try {
    const cron = new Cron(pattern);
    if (cron.nextRun() !== null) return cron;
  } catch {
    // Said below.
  }
  throw new UsageError(
    `--schedule "${pattern}" must be five fields of cron that name a time to come, like "${DEFAULT_SCHEDULE}"`,
  );
}

async function waitUntil(time: Date): Promise<void> {
  for (;;) {
    const leftMs = time.getTime() - Date.now();
    if (leftMs <= 0) return;
    await sleep(Math.min(leftMs, LONGEST_WAIT_MS));
  }
}

/** Whether all is as expected, and who is to know of it does. */
async function run({ title, source, matcher, notifier }: Monitor): Promise<boolean> {
  const time = new Date().toISOString();
  const verdict = await look(source, matcher);
  if (verdict.outcome === notifier.tellsOf) {
    const notice = { title, time, source: source.name, matcher: matcher.name, ...verdict };
    try {
      await notifier.notify(notice);
    } catch (error) {
      if (!(error instanceof LogboomError)) throw error;
      tell(`${title}: ${error.message}`);
      return false;
    }
  }
  return verdict.outcome !== "failure";
}

/** A source that cannot be read is a failure, too. */
async function look(source: Source, matcher: Matcher): Promise<Verdict> {
  try {
    return await matcher.match(source);
  } catch (error) {
    if (!(error instanceof LogboomError)) throw error;
    tell(error.message);
    return { outcome: "failure", result: error.message };
  }
}
