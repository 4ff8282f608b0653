// The closed catalogue of errors: every failure that leaves the service, on any door, is one of these codes.

/** What a code means to a caller: its HTTP status, a sentence, and whether the same request may succeed later. */
export interface ErrorEntry {
  readonly status: number;
  readonly sentence: string;
  readonly isRetriable: boolean;
}

export const errorCatalogue = {
  BAD_REQUEST: { status: 400, sentence: "the request is malformed", isRetriable: false },
  BAD_REGEX: { status: 400, sentence: "the pattern is not in the dialect", isRetriable: false },
  BAD_TOKEN: {
    status: 401,
    sentence: "the token is missing, unknown, expired or revoked",
    isRetriable: false,
  },
  NO_PERMISSION: {
    status: 403,
    sentence: "the token does not allow this customer, prefix or action",
    isRetriable: false,
  },
  NOT_FOUND: { status: 404, sentence: "nothing is served at this path", isRetriable: false },
  METHOD_NOT_ALLOWED: {
    status: 405,
    sentence: "this path does not serve this method",
    isRetriable: false,
  },
  BODY_TIMEOUT: {
    status: 408,
    sentence: "the request body did not arrive in time",
    isRetriable: true,
  },
  IDEMPOTENCY_MISMATCH: {
    status: 409,
    sentence: "this idempotency key was used for another request",
    isRetriable: false,
  },
  TOO_LARGE: { status: 413, sentence: "the request exceeds a size limit", isRetriable: false },
  UNSUPPORTED_MEDIA: {
    status: 415,
    sentence: "the content type or encoding is not supported",
    isRetriable: false,
  },
  RATE_LIMITED: { status: 429, sentence: "too many requests", isRetriable: true },
  INTERNAL: { status: 500, sentence: "the service failed unexpectedly", isRetriable: true },
  OVERLOADED: { status: 503, sentence: "the service is out of room for now", isRetriable: true },
  UNAVAILABLE: {
    status: 503,
    sentence: "a part of the service that this needs is not available",
    isRetriable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Facts about the failure that a caller may act upon: field, value, limit, line, offset … */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

interface ErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  readonly retryAfterSeconds?: number;
}

/**
 * A failure with a code of the catalogue. The message is lower case without a full stop and names
 * the value and the limit; it never holds a secret.
 */
export class LogboomError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "LogboomError";
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** The error as a caller may see it: anything that is not ours becomes INTERNAL and loses its text. */
export function toLogboomError(error: unknown): LogboomError {
  if (error instanceof LogboomError) return error;
  return new LogboomError("INTERNAL", errorCatalogue.INTERNAL.sentence, { cause: error });
}
