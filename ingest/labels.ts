// What labels an event may have: their form, and what the token allows.
import { LogboomError } from "../schemas/errors.ts";
import { MAX_LABEL_BYTES } from "./limits.ts";
import type { Principal } from "./tokens.ts";

/**
 * @param event which of the request's, from 0
 * @throws LogboomError BAD_REQUEST for a label out of bounds, NO_PERMISSION for one outside the token's.
 */
export function checkLabels(
  principal: Principal,
  event: number,
  prefix0: string,
  prefix1: string,
  prefix2: string,
  prefix3: string,
): void {
  checkLabel(principal, event, prefix0, 0);
  checkLabel(principal, event, prefix1, 1);
  checkLabel(principal, event, prefix2, 2);
  checkLabel(principal, event, prefix3, 3);
}

function checkLabel(principal: Principal, event: number, label: string, index: number): void {
  const allowed = principal.prefixes[index] ?? "";
  if (allowed !== "" && !label.startsWith(allowed))
    throw forbidden(principal, event, label, index, allowed);
  if (!isPlainLabel(label)) checkForm(event, label, `prefix${index}`);
}

/** Short printable ASCII needs no closer look, and nearly all labels are. */
export function isPlainLabel(label: string): boolean {
  if (label.length > MAX_LABEL_BYTES) return false;
  for (let index = 0; index < label.length; index++) {
    const code = label.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function checkForm(event: number, label: string, field: string): void {
  const sizeBytes = Buffer.byteLength(label, "utf8");
  if (sizeBytes > MAX_LABEL_BYTES) {
    throw new LogboomError(
      "BAD_REQUEST",
      `event ${event}: the label "${label.slice(0, 40)}…" in "${field}" has ${sizeBytes} bytes; the limit is ${MAX_LABEL_BYTES}`,
      { details: { event, field, value: label.slice(0, 40), limit: MAX_LABEL_BYTES } },
    );
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const control = /[\u0000-\u001f\u007f-\u009f]/.exec(label);
  if (control === null && label.isWellFormed()) return;
  const shown = JSON.stringify(label.toWellFormed());
  const fault =
    control === null ? "an unpaired surrogate" : `a control character at offset ${control.index}`;
  throw new LogboomError(
    "BAD_REQUEST",
    `event ${event}: the label ${shown} in "${field}" holds ${fault}`,
    { details: { event, field, value: shown } },
  );
}

function forbidden(
  { tokenId }: Principal,
  event: number,
  label: string,
  index: number,
  allowed: string,
): LogboomError {
  const field = `prefix${index}`;
  const shown = label.slice(0, 255);
  return new LogboomError(
    "NO_PERMISSION",
    `event ${event}: the token may only write labels ${field} that start with "${allowed}", not "${shown}"`,
    { details: { event, field, value: shown, limit: allowed, tokenId } },
  );
}
