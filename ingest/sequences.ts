// Stores an event once by its place in a sequence of its session, and takes a session's requests in order.
import { createHash } from "node:crypto";
import { LogboomError } from "../schemas/errors.ts";
import type { Log, Receipt } from "./log/log.ts";
import type { IncomingEvent, SequencePlace } from "./protocols/door.ts";

/** How long a place is remembered; the agents that number their events give a batch up much sooner. */
const WINDOW_MS = 24 * 3_600_000;
/** Of one sequence so many places, the newest, are remembered one by one; about 6 bytes each. */
const MAX_PLACES = 1_024;
/** A sequence is a file that an agent reads. */
const MAX_SEQUENCES = 1_000;

type Place = SequencePlace["number"];

export class Sequences {
  readonly #log: Log;
  /** The last request of each session that is on its way. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Runs `store` when every earlier request of the session, known by any text of the caller's, is done. */
  async inOrder<Result>(
    session: string,
    store: (places: SessionPlaces) => Promise<Result>,
  ): Promise<Result> {
    const name = sha256(session);
    const former = this.#last.get(name) ?? Promise.resolve();
    const storing = former.then(() => store(new SessionPlaces(this.#log, name)));
    const settled = storing.catch(() => {});
    this.#last.set(name, settled);
    try {
      return await storing;
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    }
  }
}

/** The places of one session: those stored before, and those of one request. */
export class SessionPlaces {
  readonly #log: Log;
  readonly #session: string;
  readonly #sequences = new Map<string, Places>();
  repeated = 0;

  constructor(log: Log, session: string) {
    this.#log = log;
    this.#session = session;
  }

  /** The events that are not stored yet. */
  *unseen(events: Iterable<IncomingEvent>): Generator<IncomingEvent> {
    for (const event of events) {
      if (event.sequence === undefined || this.#find(event.sequence.id).add(event.sequence.number))
        yield event;
      else this.repeated++;
    }
  }

  /** What has to become durable together with the events. */
  receipts(now = Date.now()): Receipt[] {
    return [...this.#sequences.values()]
      .filter(({ hasChanged }) => hasChanged)
      .map((places) => ({
        key: places.key,
        value: places.toString(),
        expiresAt: now + WINDOW_MS,
      }));
  }

  #find(id: string): Places {
    const known = this.#sequences.get(id);
    if (known !== undefined) return known;
    if (this.#sequences.size >= MAX_SEQUENCES) {
      throw new LogboomError(
        "TOO_LARGE",
        `more than ${MAX_SEQUENCES} sequences of events (si) in one request`,
        { details: { field: "si", limit: MAX_SEQUENCES } },
      );
    }
    const key = sha256(`sequence\0${this.#session}\0${id}`);
    const places = new Places(key, this.#log.findReceipt(key));
    this.#sequences.set(id, places);
    return places;
  }
}

/**
 * The places of one sequence. They increase, so that of more than {@link MAX_PLACES} the lowest are
 * forgotten one by one, and what is not above the highest of those counts as stored.
 */
class Places {
  readonly key: string;
  hasChanged = false;
  readonly #numbers: Set<Place>;
  #floor: Place;

  constructor(key: string, remembered: string | undefined) {
    this.key = key;
    const [floor = "", ...numbers] = remembered?.split(",") ?? [];
    this.#floor = floor === "" ? -1 : readPlace(floor);
    this.#numbers = new Set(numbers.map(readPlace));
  }

  /** Whether it is new; from now on it is not. */
  add(place: Place): boolean {
    if (place <= this.#floor || this.#numbers.has(place)) return false;
    this.#numbers.add(place);
    this.hasChanged = true;
    if (this.#numbers.size >= 2 * MAX_PLACES) this.#forgetLowest();
    return true;
  }

  toString(): string {
    this.#forgetLowest();
    const floor = this.#floor < 0 ? "" : this.#floor.toString(36);
    return [floor, ...[...this.#numbers].map((place) => place.toString(36))].join(",");
  }

  #forgetLowest(): void {
    const surplus = this.#numbers.size - MAX_PLACES;
    if (surplus <= 0) return;
    const sorted = [...this.#numbers].sort((a, b) => (a < b ? -1 : 1));
    for (const place of sorted.slice(0, surplus)) this.#numbers.delete(place);
    this.#floor = sorted[surplus - 1] ?? this.#floor;
  }
}

/** Ten digits of base 36 are below 2^53. */
function readPlace(text: string): Place {
  if (text.length <= 10) return Number.parseInt(text, 36);
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
