// What a protocol has to say to join the one ingest path: pure functions from bytes to events and replies.
import type { IncomingHttpHeaders } from "node:http";
import type { LogboomError } from "../../schemas/errors.ts";
import type { TokenKind } from "../../schemas/token.ts";

/** A request without its body. */
export interface DoorRequest {
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
  /** Bytes are taken as UTF-8. */
  readonly message: string | Buffer;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Set when the protocol itself had to replace invalid UTF-8 in a message that it gives as text. */
  readonly hadInvalidUtf8?: boolean;
}

/** What a body holds. */
export interface IncomingEvents {
  /** The customer that the request names, if it does; must be the token's. */
  readonly customer?: string | undefined;
  /** In order; throws LogboomError at the first fault: then nothing is stored. */
  readonly events: Iterable<IncomingEvent>;
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
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface Door {
  /** Label of its metrics. */
  readonly name: "native" | "scalyr-upload-logs";
  readonly path: string;
  /** A limit of the protocol itself, below the service's own; of the body as sent and as decoded. */
  readonly maxBodyBytes?: number;
  /** The kinds of keys that it takes. */
  readonly keyKinds: readonly TokenKind[];
  secret(request: DoorRequest): string | undefined;
  idempotencyKey(request: DoorRequest): IdempotencyKey | undefined;
  /** Throws LogboomError when the body is not this protocol's. */
  read(request: DoorRequest, body: Buffer): IncomingEvents;
  accepted(outcome: Outcome): Reply;
  refused(error: LogboomError, request: DoorRequest): Reply;
}
