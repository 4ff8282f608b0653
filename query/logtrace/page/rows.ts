// What the API answers, asked for page by page, and what the page makes of it.

interface Requests {
  readonly requests: number;
  readonly refused: number;
  readonly limit: number | null;
}

/** What a key consumed in an hour. */
export interface Row {
  readonly hour: string;
  readonly environment: string;
  readonly key: string;
  readonly ingest: Requests;
  readonly query: Requests;
  readonly events: number;
  readonly bytes: number;
}

export interface Key {
  readonly id: string;
  readonly environment: string;
  readonly tier: string;
  readonly revoked: boolean;
  readonly limits: { readonly ingest: number | null; readonly query: number | null };
}

export interface Consumption {
  /** Newest first. */
  readonly rows: readonly Row[];
  readonly keys: readonly Key[];
  /** Of the hours that were asked for. */
  readonly from: string;
  readonly to: string;
  /** Whether there are older rows than these. */
  readonly isCut: boolean;
}

/** What the reader is told when there is no answer. */
export class Refusal extends Error {}

const PAGE_ROWS = 10_000;
const MAX_ROWS = 50_000;

/** @throws Refusal with a sentence for the reader */
export async function readConsumption(
  secret: string,
  hours: number,
  signal: AbortSignal,
): Promise<Consumption> {
  const rows: Row[] = [];
  const keys = new Map<string, Key>();
  let cursor: string | null = null;
  for (;;) {
    const page: Page = await readPage(secret, hours, cursor, signal);
    rows.push(...page.data);
    for (const key of page.keys) keys.set(key.id, key);
    cursor = page.next_cursor;
    if (cursor === null || rows.length >= MAX_ROWS) {
      const { from, to } = page;
      return { rows, keys: [...keys.values()], from, to, isCut: cursor !== null };
    }
  }
}

interface Page {
  readonly from: string;
  readonly to: string;
  readonly data: readonly Row[];
  readonly keys: readonly Key[];
  readonly next_cursor: string | null;
}

async function readPage(
  secret: string,
  hours: number,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ from: `-${hours - 1}h`, limit: String(PAGE_ROWS) });
  if (cursor !== null) query.set("cursor", cursor);
  let response: Response;
  try {
    response = await fetch(`/v1/analytics/consumption?${query}`, {
      // A key never leaves by another way, nor does a cookie come with it.
      headers: { Authorization: `Bearer ${secret}` },
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refusal("The service cannot be reached. Is it running, and are you online?");
  }
  if (response.ok) return (await response.json()) as Page;
  throw new Refusal(await explain(response));
}

async function explain(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  const said = (body as { error?: unknown } | undefined)?.error;
  const reason = typeof said === "string" ? ` The service says: ${said}.` : "";
  switch (response.status) {
    case 401:
      return `This key is not good: mistyped, expired or revoked.${reason}`;
    case 403:
      return `This key may not see the consumption.${reason}`;
    case 429: {
      const seconds = Number(response.headers.get("Retry-After"));
      const wait = seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`;
      return `Too many requests; ask again in ${wait}.${reason}`;
    }
    default:
      return `No answer could be had (status ${response.status}).${reason} Try again in a moment.`;
  }
}

export type Figure = "ingest" | "query" | "refused" | "events" | "bytes";

export const figureNames: Readonly<Record<Figure, string>> = {
  ingest: "Ingest requests",
  query: "Queries",
  refused: "Refused requests",
  events: "Events",
  bytes: "Bytes",
};

export function figureOf(row: Row, figure: Figure): number {
  switch (figure) {
    case "ingest":
    case "query":
      return row[figure].requests;
    case "refused":
      return row.ingest.refused + row.query.refused;
    default:
      return row[figure];
  }
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function showNumber(value: number): string {
  return whole.format(value);
}

/** As short as an axis needs. */
export function showShort(value: number, figure: Figure): string {
  return figure === "bytes" ? showBytes(value) : short.format(value);
}

export function showBytes(value: number): string {
  const unit = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), byteUnits.length - 1);
  const shown = value / 1024 ** unit;
  return `${shown.toFixed(unit === 0 || shown >= 100 ? 0 : 1)} ${byteUnits[unit]}`;
}

export function showFigure(value: number, figure: Figure): string {
  return figure === "bytes" ? showBytes(value) : showNumber(value);
}

/** `2026-11-21 04:00` */
export function showHour(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
}
