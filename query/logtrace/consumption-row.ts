// What one key consumed in one hour.
import type { RowPlace } from "./consumption-request.ts";

interface Requests {
  readonly requests: number;
  /** On account of the limit. */
  readonly refused: number;
  /** Requests an hour as it was then; null where nothing was asked. */
  readonly limit: number | null;
}

export interface ConsumptionRow extends RowPlace {
  ingest: Requests;
  query: Requests;
  events: number;
  /** Of the events, encoded. */
  bytes: number;
}

const none: Requests = { requests: 0, refused: 0, limit: null };

export function emptyRow(place: RowPlace): ConsumptionRow {
  return { ...place, ingest: none, query: none, events: 0, bytes: 0 };
}

/** The sum of two rows of one place. */
export function addRows(one: ConsumptionRow, other: ConsumptionRow): ConsumptionRow {
  return {
    ...one,
    ingest: addRequests(one.ingest, other.ingest),
    query: addRequests(one.query, other.query),
    events: one.events + other.events,
    bytes: one.bytes + other.bytes,
  };
}

function addRequests(one: Requests, other: Requests): Requests {
  return {
    requests: one.requests + other.requests,
    refused: one.refused + other.refused,
    limit:
      one.limit === null || other.limit === null
        ? (one.limit ?? other.limit)
        : Math.max(one.limit, other.limit),
  };
}

/** The newest hour first, then by environment and key; texts by their UTF-8, as the store does. */
export function compareRows(one: RowPlace, other: RowPlace): number {
  return (
    other.hour - one.hour ||
    Buffer.compare(Buffer.from(one.environment), Buffer.from(other.environment)) ||
    Buffer.compare(Buffer.from(one.key), Buffer.from(other.key))
  );
}
