// Collects figures, prints them as aligned tables, and writes them as JSON for whoever compares runs.
import { writeFileSync } from "node:fs";

type Cell = string | number;

/** A figure with the most that we allow ourselves, where there is a limit. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: number;
}

function spell(value: Cell): string {
  if (typeof value === "string") return value;
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** Text to the left, numbers to the right. */
function align(rows: readonly (readonly Cell[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => spell(row[column] ?? "").length)),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? spell(cell).padEnd(width) : spell(cell).padStart(width);
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

export class Report {
  readonly #sections: Record<string, unknown> = {};

  /** Figures of one phase, with their targets beside them. */
  figures(title: string, figures: readonly Figure[]): void {
    this.#sections[title] = figures;
    const rows = figures.map(({ name, value, unit, target }) => [
      name,
      value,
      unit.padEnd(10),
      target === undefined ? "" : `target ${spell(target)}`.padEnd(14),
      target === undefined ? "" : value <= target ? "ok" : "MISSED",
    ]);
    console.log(`\n${title}\n${align(rows)}`);
  }

  /** A table with a head line. */
  table(title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): void {
    this.#sections[title] = rows.map((row) =>
      Object.fromEntries(head.map((name, column) => [name, row[column]])),
    );
    console.log(`\n${title}\n${align([head, ...rows])}`);
  }

  writeJson(path: string): void {
    writeFileSync(path, `${JSON.stringify(this.#sections, undefined, 2)}\n`);
  }
}

/** The value below which the given share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
