// Numbers with units, as 10kb or 5ms, in TypeScript and in SQL: in bytes, or in milliseconds.
import { toNumber } from "./numeric-text.ts";
import { raw, sql, type SqlFragment } from "./sql-fragment.ts";

/** Single letters that are digits of hexadecimal numbers (b, d) are no units: 7b is mostly none. */
const factors: Readonly<Record<string, number>> = {
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const number = "[+-]?[0-9]+(?:[.][0-9]+)?";
const units = Object.keys(factors).join("|");
const form = new RegExp(`^(${number})(${units})$`, "i");

/** Undefined when the text is no number with a unit. */
export function readQuantity(text: string): number | undefined {
  const [, amount = "", unit = ""] = form.exec(text) ?? [];
  const factor = factors[unit.toLowerCase()];
  const value = toNumber(amount);
  return factor === undefined || value === undefined ? undefined : value * factor;
}

/** The text, or in place of a number with a unit the plain number that it is. */
export function plainQuantity(text: string): string {
  const quantity = readQuantity(text);
  return quantity === undefined ? text : String(quantity);
}

/** Array(String) of the texts of another, likewise. */
export function plainQuantities(texts: SqlFragment): SqlFragment {
  const names = Object.keys(factors).map((unit) => `'${unit}'`);
  const values = Object.values(factors).map((factor) => `toFloat64(${factor})`);
  const matches = raw(`match(q, '^(?i)${number}(?:${units})$')`);
  const unit = `lowerUTF8(extract(q, '[^0-9]+$'))`;
  const value = raw(
    `toString(toFloat64OrZero(extract(q, '^${number}')) *
      transform(${unit}, [${names.join(", ")}], [${values.join(", ")}], toFloat64(1)))`,
  );
  return sql`arrayMap(q -> if(${matches}, ${value}, q), ${texts})`;
}
