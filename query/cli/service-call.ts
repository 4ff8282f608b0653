// One HTTP request to a service, and what its refusal means to a command.
import { errorCatalogue, LogboomError, type ErrorCode } from "../../schemas/errors.ts";

const REQUEST_TIMEOUT_MS = 60_000;
const MAX_RETRY_AFTER_SECONDS = 60;
const MAX_SHOWN = 300;

export interface Reply {
  readonly status: number;
  /** Parsed JSON; undefined when the body is none. */
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
}

/**
 * @param options a redirect is not followed: the token is meant for this address alone
 * @throws LogboomError UNAVAILABLE when there is no whole reply; the signal's reason when it was aborted
 */
export async function callService(
  url: string,
  token: string,
  options: {
    readonly body: Buffer | string;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  },
): Promise<Reply> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...options.headers, authorization: `Token ${token}` },
      body: options.body as string | Buffer<ArrayBuffer>,
      redirect: "manual",
      signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: parse(text),
      retryAfterMs: readRetryAfter(response.headers.get("retry-after")),
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new LogboomError(
      "UNAVAILABLE",
      `no answer from ${new URL(url).origin}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

/** What `fetch` says is "fetch failed"; why stands below. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it took too long";
  const { cause } = error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message || cause.name : error.message;
}

export function isRetriable(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** The refusal as it was answered, in the service's own words where it is one of ours. */
export function refusal(reply: Reply): LogboomError {
  const { error, errorCode, details } = (reply.body ?? {}) as Record<string, unknown>;
  const code = typeof errorCode === "string" && isCode(errorCode) ? errorCode : "BAD_REQUEST";
  const said = typeof error === "string" ? error.slice(0, MAX_SHOWN) : "it does not say why";
  return new LogboomError(code, `the service answered ${reply.status}: ${said}`, {
    details: (details ?? {}) as Record<string, string | number | boolean>,
  });
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readRetryAfter(header: string | null): number | undefined {
  if (header === null || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header), MAX_RETRY_AFTER_SECONDS) * 1000;
}
