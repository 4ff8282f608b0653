// What a protocol has to say to join the one ingest path: pure functions from bytes to events and replies.
import type { IncomingHttpHeaders } from "node:http";
import type { LogboomError } from "../../schemas/errors.ts";
import type { TokenKind } from "../../schemas/token.ts";
import type { Principal } from "../keys/permission.ts";
import type { Origin } from "../origin.ts";

/** Every way in, as metrics name it. */
export type DoorName =
  | "native"
  | "loggly"
  | "loggly-syslog"
  | "logentries"
  | "logentries-token"
  | "logtrace"
  | "logtrace-logstash"
  | "scalyr-upload-logs"
  | "scalyr-add-events";

/** A request without its body. */
export interface DoorRequest {
  readonly method: string;
  /** As it was sent, percent-encoded, without the query string. */
  readonly path: string;
  /** The client's address, as far as it is known. */
  readonly address?: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** An event as a protocol gives it; absent labels are empty, an absent time is the time of arrival. */
export interface IncomingEvent {
  readonly time?: bigint | undefined;
  readonly prefix0?: string | undefined;
  readonly prefix1?: string | undefined;
  readonly prefix2?: string | undefined;
  readonly prefix3?: string | undefined;
  /** In place of labels: those of all events of a sender, and attributes beside the event's own. */
  readonly origin?: Origin | undefined;
  /** Bytes are taken as UTF-8. */
  readonly message: string | Buffer;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Set when the protocol itself had to replace invalid UTF-8 in a message that it gives as text. */
  readonly hadInvalidUtf8?: boolean | undefined;
  /** Where the event stands in a sequence of its session; the same place is stored once. */
  readonly sequence?: SequencePlace | undefined;
}

/** A number that increases within an id; whole, and exact whatever its size. */
export interface SequencePlace {
  readonly id: string;
  readonly number: number | bigint;
}

/**
 * What becomes of an event that exceeds a limit: "refuse" refuses the request; "labels" mends labels and
 * attributes, "all" also a long message and a time out of range. An agent that cannot correct itself would
 * otherwise repeat, or lose, a whole batch for one event.
 */
export type Mending = "refuse" | "labels" | "all";

/** What a body holds. */
export interface IncomingEvents {
  /** The customer that the request names, if it does; must be the token's. */
  readonly customer?: string | undefined;
  /** In order; throws LogboomError at the first fault: then nothing is stored. */
  readonly events: Iterable<IncomingEvent>;
  readonly mending?: Mending;
  /** Requests of one session are taken in order, and its {@link IncomingEvent.sequence} places once. */
  readonly session?: string | undefined;
  /** Once all events are read: how many the protocol had to leave out, where it may, and why the first. */
  readonly omitted?: () => { readonly count: number; readonly reason: string };
}

/** How a repeat of a request is recognised. */
export interface IdempotencyKey {
  readonly value: string;
  readonly windowMs: number;
  /** Whether a repeat with another body is refused; otherwise it counts as the same request. */
  readonly bindsBody: boolean;
}

/** What became of an acknowledged request. */
export interface Outcome {
  readonly accepted: number;
  /** Events in which invalid UTF-8 was replaced. */
  readonly invalidUtf8: number;
  /** Whether this was the repeat of a request that had been acknowledged before. */
  readonly isDuplicate: boolean;
  /** Events of which a label, an attribute, the message or the time had to be changed. */
  readonly mended?: number;
  /** Events that could not be read, of a protocol that takes the others nevertheless. */
  readonly omitted?: { readonly count: number; readonly reason: string };
  /** Bytes of the body, after decompression. */
  readonly bodyBytes?: number;
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON; bytes as they are; absent: none. */
  readonly body?: unknown;
  /** Of a body of bytes. */
  readonly contentType?: string;
}

export interface Door {
  /** Label of its metrics. */
  readonly name: DoorName;
  /** As the API description writes it. */
  readonly path: string;
  /** The paths that are its; absent: `path` alone. */
  readonly pattern?: RegExp;
  /** What it serves; absent: POST. */
  readonly methods?: readonly string[];
  /** Whether pages of other origins may send to it. */
  readonly isForBrowsers?: boolean;
  /** A limit of the protocol itself, below the service's own; of the body as sent and as decoded. */
  readonly maxBodyBytes?: number;
  /** The kinds of keys that it takes. */
  readonly keyKinds: readonly TokenKind[];
  secret(request: DoorRequest): string | undefined;
  /**
   * The secret of a protocol whose clients put it into the body; such a body is read before anybody is
   * known, and wins over `secret`.
   */
  secretInBody?(body: Buffer): string | undefined;
  /** The same of a body that begins with it: who has no key is refused before the whole of it is parsed. */
  secretAtStart?(body: Buffer): string | undefined;
  idempotencyKey(request: DoorRequest): IdempotencyKey | undefined;
  /** Throws LogboomError when the body is not this protocol's. */
  read(request: DoorRequest, body: Buffer, principal: Principal): IncomingEvents;
  accepted(outcome: Outcome, request: DoorRequest): Reply;
  refused(error: LogboomError, request: DoorRequest): Reply;
}
