// What many events have in common, checked and encoded once instead of with each of them.
import { EventWriter, type SharedBytes } from "../schemas/event-writer.ts";
import { LogboomError } from "../schemas/errors.ts";
import type { Principal } from "./keys/permission.ts";
import { checkLabels } from "./labels.ts";
import { MAX_ATTRIBUTES } from "./limits.ts";
import { areAttributesFit, isLabelFit, isOwnFit } from "./mend.ts";
import type { Partitions } from "./partitions.ts";
import type { IncomingEvent } from "./protocols/door.ts";

type Labels = Pick<IncomingEvent, "prefix0" | "prefix1" | "prefix2" | "prefix3">;

interface Encoded {
  readonly principal: Principal;
  readonly partitions: Partitions;
  /** Of the log; undefined when each event has to be looked at by itself. */
  readonly place: { readonly partition: number; readonly bytes: SharedBytes } | undefined;
}

/** The labels and attributes of a sender's events; an event may have attributes of its own beside them. */
export class Origin {
  readonly labels: Labels;
  readonly attributes: Readonly<Record<string, string>>;
  readonly #isFit: boolean;
  readonly #attributeCount: number;
  /** For whom it was encoded last, which is nearly always who asks next. */
  #encoded: Encoded | undefined;

  constructor(
    { prefix0, prefix1, prefix2, prefix3 }: Labels,
    attributes: Readonly<Record<string, string>>,
  ) {
    const labels = { prefix0, prefix1, prefix2, prefix3 };
    this.labels = labels;
    this.attributes = attributes;
    this.#isFit = Object.values(labels).every(isLabelFit) && areAttributesFit(attributes);
    this.#attributeCount = Object.keys(attributes).length;
  }

  /** Where the event goes, and what it shares; undefined when it has to be mended or may not be written. */
  placeOf(
    event: IncomingEvent,
    principal: Principal,
    partitions: Partitions,
    maxEventBytes: number,
  ): Encoded["place"] {
    if (!this.#isFit || !this.#hasRoom(event.attributes) || !isOwnFit(event, maxEventBytes)) {
      return undefined;
    }
    const known = this.#encoded;
    if (known?.principal === principal && known.partitions === partitions) return known.place;
    const place = this.#encode(principal, partitions);
    this.#encoded = { principal, partitions, place };
    return place;
  }

  /** Whether attributes of an event's own are others than these, and not too many with them. */
  #hasRoom(own: IncomingEvent["attributes"]): boolean {
    let count = this.#attributeCount;
    for (const name in own) {
      if (Object.hasOwn(this.attributes, name)) return false;
      count++;
    }
    return count <= MAX_ATTRIBUTES;
  }

  #encode(principal: Principal, partitions: Partitions): Encoded["place"] {
    const { customer } = principal;
    const { prefix0 = "", prefix1 = "", prefix2 = "", prefix3 = "" } = this.labels;
    try {
      checkLabels(principal, 0, prefix0, prefix1, prefix2, prefix3);
    } catch (error) {
      // The event that is not allowed tells it, as any other.
      if (error instanceof LogboomError) return undefined;
      throw error;
    }
    return {
      partition: partitions.of(customer, prefix0),
      bytes: EventWriter.share({
        customer,
        prefix0,
        prefix1,
        prefix2,
        prefix3,
        attributes: this.attributes,
      }),
    };
  }
}

/** The same event with all that is its, and no origin. */
export function withoutOrigin(event: IncomingEvent): IncomingEvent {
  const { origin } = event;
  if (origin === undefined) return event;
  return {
    ...event,
    ...origin.labels,
    origin: undefined,
    attributes: { ...origin.attributes, ...event.attributes },
  };
}
