// Whom a monitor tells: the console of success, a webhook or Pushover of failure.
import { setTimeout as sleep } from "node:timers/promises";
import { LogboomError } from "../../../schemas/errors.ts";
import { UsageError } from "../../cli-call.ts";
import { readHttpUrl, refuseMore } from "../client-options.ts";
import { write } from "../output.ts";
import { readSecret } from "../secret.ts";
import { reasonOf } from "../service-call.ts";
import { readHeaders } from "./headers.ts";
import type { Verdict } from "./matcher.ts";
import type { Sections } from "./sections.ts";

const PUSHOVER = "https://api.pushover.net/1/messages.json";
/** Pushover's limits, and what it demands of a message that is repeated until somebody confirms it. */
const MAX_TITLE = 250;
const MAX_MESSAGE = 1_024;
const EMERGENCY = { retry: "60", expire: "3600" };

const TRIES = 3;
const FIRST_PAUSE_MS = 1_000;
const TIMEOUT_MS = 10_000;

export interface Notice extends Verdict {
  readonly title: string;
  /** ISO 8601, of the run */
  readonly time: string;
  readonly source: string;
  readonly matcher: string;
}

export interface Notifier {
  readonly tellsOf: "success" | "failure";
  /** @throws LogboomError when nobody takes it */
  notify(notice: Notice): Promise<void>;
}

export function readNotifier(sections: Sections): Notifier {
  const { values, positionals } = sections.read({
    options: {
      json: { type: "boolean" },
      header: { type: "string", multiple: true },
      "po-api-token": { type: "string" },
      "po-user-key": { type: "string" },
      "po-url": { type: "string" },
      priority: { type: "string" },
    },
    words: 2,
  });
  const [, kind = "", url] = positionals;
  const own: Readonly<Record<string, readonly string[]>> = {
    console: ["json"],
    webhook: ["header"],
    pushover: ["po-api-token", "po-user-key", "po-url", "priority"],
  };
  const names = Object.hasOwn(own, kind) ? own[kind] : undefined;
  if (names === undefined) throw new UsageError("notify takes console, webhook or pushover");
  const foreign = Object.keys(values).find((name) => !names.includes(name));
  if (foreign !== undefined) throw new UsageError(`notify ${kind} has no option --${foreign}`);
  refuseMore(positionals, kind === "webhook" ? 3 : 2, `notify ${kind} takes no more words`);
  if (kind === "console") return consoleNotifier(values.json === true);
  if (kind === "webhook") return webhookNotifier(url, readHeaders(values.header));
  return pushoverNotifier({
    url: readTarget(values["po-url"] ?? PUSHOVER),
    token: required("--po-api-token", values["po-api-token"]),
    user: required("--po-user-key", values["po-user-key"]),
    priority: values.priority,
  });
}

function consoleNotifier(isJson: boolean): Notifier {
  return {
    tellsOf: "success",
    notify: async (notice) => {
      await write(isJson ? `${JSON.stringify(notice)}\n` : `${notice.time} ${summaryOf(notice)}`);
    },
  };
}

function webhookNotifier(given: string | undefined, headers: Headers): Notifier {
  if (given === undefined) throw new UsageError("notify webhook takes a URL");
  const url = readTarget(readSecret(given, "the webhook's URL"));
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return {
    tellsOf: "failure",
    notify: (notice) => post("the webhook", url, headers, JSON.stringify(notice)),
  };
}

function pushoverNotifier(options: {
  readonly url: URL;
  readonly token: string;
  readonly user: string;
  readonly priority: string | undefined;
}): Notifier {
  const { url, token, user, priority = "0" } = options;
  if (!/^(-[12]|[012])$/.test(priority)) throw new UsageError("--priority must be -2 to 2");
  const headers = new Headers({ "content-type": "application/x-www-form-urlencoded" });
  return {
    tellsOf: "failure",
    notify: (notice) => {
      const form = new URLSearchParams({
        token,
        user,
        priority,
        title: notice.title.slice(0, MAX_TITLE),
        message: summaryOf(notice).slice(0, MAX_MESSAGE),
        ...(priority === "2" && EMERGENCY),
      });
      return post("Pushover", url, headers, form.toString());
    },
  };
}

/** A line, and what is to be shown below it. */
function summaryOf({ title, result, source, matcher, diff, content }: Notice): string {
  const shown = [diff, content].filter((text) => text !== undefined);
  const lines = [`${title}: ${result} (${source}, ${matcher})`, ...shown];
  return lines.map((text) => (text.endsWith("\n") ? text : `${text}\n`)).join("");
}

/** Tries several times. The address may be a secret: errors do not name it. */
async function post(name: string, url: URL, headers: Headers, body: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let reason: string;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(url, {
        method: "POST",
        headers,
        body,
        redirect: "manual",
        signal,
      });
      await response.body?.cancel();
      if (response.ok) return;
      reason = `it answered ${response.status}`;
    } catch (error) {
      reason = reasonOf(error);
    }
    if (attempt === TRIES) {
      throw new LogboomError("UNAVAILABLE", `${name} could not be told, ${TRIES} times: ${reason}`);
    }
    await sleep(FIRST_PAUSE_MS * attempt);
  }
}

function readTarget(given: string): URL {
  const url = readHttpUrl(given);
  if (url !== undefined) return url;
  throw new UsageError("what is notified must be an http: or https: URL without user and password");
}

function required(option: string, given: string | undefined): string {
  if (given === undefined) throw new UsageError(`notify pushover needs ${option}`);
  return readSecret(given, option).trim();
}
