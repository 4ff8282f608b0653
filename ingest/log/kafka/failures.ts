// What kafkajs means by an error: its protocol code, through all that it wraps around it.
import { LogboomError } from "../../../schemas/errors.ts";

/** The codes and names of an error and of its causes, the outermost first. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { type, name } = at as Error & { type?: unknown };
    if (typeof type === "string") codes.push(type);
    codes.push(name);
  }
  return codes;
}

const sequenceErrors = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "DUPLICATE_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
]);

/** Whether the broker and the producer no longer agree on the numbers of its records. */
export function hasLostSequence(error: unknown): boolean {
  return codesOf(error).some((code) => sequenceErrors.has(code));
}

const fencingErrors = new Set([
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "REBALANCE_IN_PROGRESS",
  "FENCED_INSTANCE_ID",
]);

/** Whether the group goes on without this member: what it owned may be another's. */
export function isFenced(error: unknown): boolean {
  return codesOf(error).some((code) => fencingErrors.has(code));
}

const refusals = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "SASL_AUTHENTICATION_FAILED",
  "KafkaJSSASLAuthenticationError",
]);

/** Whether the brokers refuse for good, so that repeating is of no use. */
export function isRefused(error: unknown): boolean {
  return codesOf(error).some((code) => refusals.has(code));
}

const passingErrors = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
]);

/** Whether it is a matter of moments: a topic or a group that the broker asked is just taking in. */
export function isPassing(error: unknown): boolean {
  return codesOf(error).some((code) => passingErrors.has(code));
}

/** The failure as a caller of the log may see it. */
export function unavailable(what: string, cause: unknown): LogboomError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LogboomError("UNAVAILABLE", `${what}: ${reason}`, { cause, retryAfterSeconds: 2 });
}
