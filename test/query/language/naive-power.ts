// What power queries mean, written apart from their parser and their SQL: random queries, and what they make of events.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Answer } from "./power-answer.ts";
import type { PlainEvent } from "./query-store.ts";

export type Cell = string | number | boolean | null;
type Type = "text" | "number" | "boolean";

export interface Row {
  readonly cells: ReadonlyMap<string, Cell>;
  /** Of rows that are events. */
  readonly event?: PlainEvent;
}

/** The columns of a table by name, with the types that they have in every row. */
export interface Table {
  readonly columns: ReadonlyMap<string, Type>;
  readonly rows: readonly Row[];
}

interface Expression {
  readonly text: string;
  readonly type: Type;
  readonly of: (row: Row) => Cell;
}

/** The first part of a query, or a command, and what it makes of a table. */
export interface Step {
  readonly text: string;
  readonly apply: (table: Table) => Table;
}

export const fields = ["user", "ms", "status", "serverHost"];

function fieldOf({ attributes, prefixes }: PlainEvent, name: string): string | null {
  if (name === "serverHost") return prefixes[0] === "" ? null : prefixes[0];
  return attributes[name] ?? null;
}

function numberOf(cell: Cell): number | null {
  if (typeof cell === "boolean") return cell ? 1 : 0;
  if (typeof cell !== "string") return cell;
  return /^[+-]?\d+(\.\d+)?(e[+-]?\d{1,4})?$/i.test(cell) ? Number(cell) : null;
}

export function textOf(cell: Cell): string | null {
  return cell === null ? null : String(cell);
}

function isTrue(cell: Cell): boolean {
  if (typeof cell === "string") return !["", "false", "0"].includes(cell);
  return cell !== null && cell !== false && cell !== 0;
}

function finite(value: number | null): number | null {
  // There is one zero.
  return value === null || !Number.isFinite(value) ? null : value + 0;
}

export function compareCells(a: Cell, b: Cell): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null || y !== null) {
    if (x === null) return 1;
    if (y === null) return -1;
    if (x !== y) return x - y;
  }
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return typeof a === "string" && typeof b === "string"
    ? Buffer.compare(Buffer.from(a), Buffer.from(b))
    : 0;
}

/** Expressions on the columns of a table, and on fields where its rows are events. */
export function expressions(
  columns: ReadonlyMap<string, Type>,
  areEvents: boolean,
): fc.Arbitrary<Expression> {
  const own = [...columns].map(([name, type]): Expression => ({
    text: name,
    type,
    of: ({ cells }) => cells.get(name) ?? null,
  }));
  const ofEvents = fields
    .filter((name) => !columns.has(name))
    .map((name): Expression => ({
      text: name,
      type: "text",
      of: ({ event }) => (event === undefined ? null : fieldOf(event, name)),
    }));
  const constants: Expression[] = [
    ...[0, 2, 7.5, 404].map((value): Expression => ({
      text: String(value),
      type: "number",
      of: () => value,
    })),
    ...["bob", "404", "x'\"y", ""].map((value): Expression => ({
      text: JSON.stringify(value),
      type: "text",
      of: () => value,
    })),
    { text: "true", type: "boolean", of: () => true },
    { text: "null", type: "text", of: () => null },
  ];
  const leaf = fc.constantFrom(...own, ...(areEvents ? ofEvents : []), ...constants);
  return fc.letrec<{ any: Expression }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3, depthIdentifier: "expression" },
      { weight: 3, arbitrary: leaf },
      {
        weight: 2,
        arbitrary: fc
          .tuple(tie("any"), fc.constantFrom("+", "-", "*", "/", "%"), tie("any"))
          .map(arithmetic),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(tie("any"), fc.constantFrom("=", "!=", "<", "<=", ">", ">="), tie("any"))
          .map(comparison),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(tie("any"), fc.constantFrom("and", "||"), tie("any")).map(logic),
      },
      { weight: 1, arbitrary: fc.tuple(tie("any"), tie("any"), tie("any")).map(choice) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom(...Object.keys(ofOne)), tie("any"))
          .map(([name, operand]) => (ofOne[name] as (operand: Expression) => Expression)(operand)),
      },
    ),
  })).any;
}

function arithmetic([a, operator, b]: [Expression, string, Expression]): Expression {
  const text = `(${a.text} ${operator} ${b.text})`;
  const compute = (x: number | null, y: number | null): number | null => {
    if (x === null || y === null) return null;
    const results: Record<string, number> = {
      "+": x + y,
      "-": x - y,
      "*": x * y,
      "/": x / y,
      "%": x % y,
    };
    return finite(results[operator] ?? null);
  };
  if (operator !== "+" || a.type !== "text" || b.type !== "text") {
    return { text, type: "number", of: (row) => compute(numberOf(a.of(row)), numberOf(b.of(row))) };
  }
  return {
    text,
    type: "text",
    of: (row) => {
      const [x, y] = [a.of(row), b.of(row)];
      const sum = compute(numberOf(x), numberOf(y));
      if (sum !== null) return String(sum);
      return x === null || y === null ? null : `${String(x)}${String(y)}`;
    },
  };
}

function comparison([a, operator, b]: [Expression, string, Expression]): Expression {
  const [text, type] = [`(${a.text} ${operator} ${b.text})`, "boolean" as const];
  const side = a.text === "null" ? b : b.text === "null" ? a : undefined;
  if (side !== undefined && (operator === "=" || operator === "!=")) {
    return { text, type, of: (row) => (side.of(row) === null) === (operator === "=") };
  }
  const compare = (x: string | number | null, y: string | number | null): boolean => {
    if (x === null || y === null) return operator === "!=";
    const order =
      typeof x === "string"
        ? Buffer.compare(Buffer.from(x), Buffer.from(String(y)))
        : x - Number(y);
    const results: Record<string, boolean> = {
      "=": order === 0,
      "!=": order !== 0,
      "<": order < 0,
      "<=": order <= 0,
      ">": order > 0,
      ">=": order >= 0,
    };
    return results[operator] ?? false;
  };
  return {
    text,
    type,
    of: (row) => {
      const [x, y] = [a.of(row), b.of(row)];
      const numbers = [numberOf(x), numberOf(y)] as const;
      const areNumbers = a.type === "number" || b.type === "number";
      const areTexts = a.type === "text" && b.type === "text";
      const both = areTexts && numbers[0] !== null && numbers[1] !== null;
      return areNumbers || both ? compare(...numbers) : compare(textOf(x), textOf(y));
    },
  };
}

function logic([a, operator, b]: [Expression, string, Expression]): Expression {
  return {
    text: `(${a.text} ${operator} ${b.text})`,
    type: "boolean",
    of: (row) =>
      operator === "and"
        ? isTrue(a.of(row)) && isTrue(b.of(row))
        : isTrue(a.of(row)) || isTrue(b.of(row)),
  };
}

function choice([condition, yes, no]: [Expression, Expression, Expression]): Expression {
  const type =
    yes.text === "null" || yes.type === no.type ? no.type : no.text === "null" ? yes.type : "text";
  return {
    text: `(${condition.text} ? ${yes.text} : ${no.text})`,
    type,
    of: (row) => {
      const value = isTrue(condition.of(row)) ? yes.of(row) : no.of(row);
      return type === "text" ? textOf(value) : value;
    },
  };
}

const ofOne: Record<string, (operand: Expression) => Expression> = {
  not: ({ text, of }) => ({ text: `!(${text})`, type: "boolean", of: (row) => !isTrue(of(row)) }),
  minus: ({ text, of }) => ({
    text: `-(${text})`,
    type: "number",
    of: (row) => {
      const value = numberOf(of(row));
      return value === null ? null : 0 - value;
    },
  }),
  exists: ({ text, of }) => ({
    text: `((${text}) == *)`,
    type: "boolean",
    of: (row) => of(row) !== null,
  }),
  in: ({ text, of }) => ({
    text: `((${text}) in ('bob', 404))`,
    type: "boolean",
    of: (row) => {
      const value = of(row);
      return ["bob", "404"].includes(textOf(value) ?? "") || numberOf(textOf(value)) === 404;
    },
  }),
  contains: ({ text, of }) => ({
    text: `((${text}) contains "O")`,
    type: "boolean",
    of: (row) => textOf(of(row))?.toLowerCase().includes("o") ?? false,
  }),
  matches: ({ text, of }) => ({
    text: `((${text}) matches "^[a-z]+$")`,
    type: "boolean",
    of: (row) => /^[a-z]+$/.test(textOf(of(row)) ?? "1"),
  }),
  lower: ({ text, of }) => ({
    text: `lower(${text})`,
    type: "text",
    of: (row) => textOf(of(row))?.toLowerCase() ?? null,
  }),
  len: ({ text, of }) => ({
    text: `len(${text})`,
    type: "number",
    of: (row) => {
      const value = textOf(of(row));
      return value === null ? null : [...value].length;
    },
  }),
  floor: ({ text, of }) => ({
    text: `floor(${text})`,
    type: "number",
    of: (row) => {
      const value = numberOf(of(row));
      return value === null ? null : Math.floor(value) + 0;
    },
  }),
  max: ({ text, of }) => ({
    text: `max(${text}, 5, 2)`,
    type: "number",
    of: (row) => {
      const value = numberOf(of(row));
      return value === null ? null : Math.max(value, 5, 2);
    },
  }),
};

interface Aggregate {
  readonly type: Type | "own";
  readonly of: (values: readonly Cell[]) => Cell;
}

function numbersOf(values: readonly Cell[]): number[] {
  return values.map(numberOf).filter((value) => value !== null);
}

function quantile(values: readonly Cell[], share: number): number | null {
  const sorted = numbersOf(values).sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (below === undefined || above === undefined) return null;
  return below + (place - Math.floor(place)) * (above - below);
}

const sum = (values: readonly Cell[]): number | null =>
  numbersOf(values).length === 0 ? null : numbersOf(values).reduce((all, value) => all + value, 0);

const aggregates: Record<string, Aggregate> = {
  "count(": { type: "number", of: (values) => values.filter(isTrue).length },
  "sum(": { type: "number", of: sum },
  "avg(": {
    type: "number",
    of: (values) => (sum(values) === null ? null : (sum(values) ?? 0) / numbersOf(values).length),
  },
  "min(": {
    type: "number",
    of: (values) => (sum(values) === null ? null : Math.min(...numbersOf(values))),
  },
  "max(": {
    type: "number",
    of: (values) => (sum(values) === null ? null : Math.max(...numbersOf(values))),
  },
  "p90(": { type: "number", of: (values) => quantile(values, 0.9) },
  "pct(25, ": { type: "number", of: (values) => quantile(values, 0.25) },
  "estimate_distinct(": {
    type: "number",
    of: (values) => new Set(values.map(textOf).filter((text) => text !== null)).size,
  },
};

/** `group`: random functions of random expressions by random keys. */
export function groups(
  columns: ReadonlyMap<string, Type>,
  areEvents: boolean,
  leastKeys = 0,
): fc.Arbitrary<Step> {
  const expression = expressions(columns, areEvents);
  const figure = fc.tuple(fc.constantFrom(...Object.keys(aggregates)), expression);
  return fc
    .tuple(
      fc.array(figure, { minLength: 1, maxLength: 3 }),
      fc.array(expression, { minLength: leastKeys, maxLength: 2 }),
    )
    .map(([figures, keys]) => ({
      text: `group ${figures.map(([name, { text }], index) => `f${String(index)} = ${name}${text})`).join(", ")}${
        keys.length === 0
          ? ""
          : ` by ${keys.map(({ text }, index) => `k${String(index)} = ${text}`).join(", ")}`
      }`,
      apply: ({ rows }) => {
        const all = new Map<string, { keys: Cell[]; rows: Row[] }>();
        if (keys.length === 0) all.set("", { keys: [], rows: [] });
        for (const row of rows) {
          const values = keys.map(({ of }) => of(row));
          // -0 and 0 are the same.
          const name = values.length === 0 ? "" : JSON.stringify(values);
          const group = all.get(name) ?? { keys: values, rows: [] };
          group.rows.push(row);
          all.set(name, group);
        }
        const columns = new Map<string, Type>([
          ...keys.map(({ type }, index): [string, Type] => [`k${String(index)}`, type]),
          ...figures.map((_, index): [string, Type] => [`f${String(index)}`, "number"]),
        ]);
        return {
          columns,
          rows: [...all.values()]
            .sort((a, b) => orderOfAll(a.keys, b.keys))
            .map((group) => ({
              cells: new Map([
                ...group.keys.map((key, index): [string, Cell] => [`k${String(index)}`, key]),
                ...figures.map(([name, { of }], index): [string, Cell] => [
                  `f${String(index)}`,
                  (aggregates[name] as Aggregate).of(group.rows.map(of)),
                ]),
              ]),
            })),
        };
      },
    }));
}

export function orderOfAll(a: readonly Cell[], b: readonly Cell[]): number {
  return a.reduce<number>((order, cell, index) => order || compareCells(cell, b[index] ?? null), 0);
}

/** `let`, `columns`, `filter`, `sort` or `limit` on a table of these columns. */
export function commands(
  columns: ReadonlyMap<string, Type>,
  areEvents: boolean,
): fc.Arbitrary<Step & { readonly columns: ReadonlyMap<string, Type> }> {
  const expression = expressions(columns, areEvents);
  const added = fc
    .tuple(fc.constantFrom("x", "y", "user"), expression)
    .map(([name, { text, type, of }]) => ({
      text: `let ${name} = ${text}`,
      columns: new Map([...columns, [name, type]]),
      apply: ({ rows }: Table): Table => ({
        columns: new Map([...columns, [name, type]]),
        rows: rows.map((row) => ({ ...row, cells: new Map([...row.cells, [name, of(row)]]) })),
      }),
    }));
  const kept = expression.map(({ text, of }) => ({
    text: `filter ${text}`,
    columns,
    apply: (table: Table): Table => ({
      ...table,
      rows: table.rows.filter((row) => isTrue(of(row))),
    }),
  }));
  const sorted = fc.tuple(expression, fc.boolean()).map(([{ text, of }, isDescending]) => ({
    text: `sort ${isDescending ? "-" : "+"}(${text})`,
    columns,
    apply: (table: Table): Table => ({
      ...table,
      rows: [...table.rows].sort((a, b) => {
        const [x, y] = [of(a), of(b)];
        const order = compareCells(x, y);
        // What is no number comes behind, and what is missing at the end, in both orders.
        const isFixed =
          (numberOf(x) === null) !== (numberOf(y) === null) || x === null || y === null;
        return isDescending && !isFixed ? -order : order;
      }),
    }),
  }));
  const limited = fc.integer({ min: 1, max: 60 }).map((count) => ({
    text: `limit ${String(count)}`,
    columns,
    apply: (table: Table): Table => ({ ...table, rows: table.rows.slice(0, count) }),
  }));
  return fc.oneof({ weight: 3, arbitrary: added }, kept, sorted, { weight: 1, arbitrary: limited });
}

/** Expects an answer to be the table; sums may have been added up in another order. */
export function expectTable({ columns, rows }: Answer, expected: Table, text: string): void {
  const names = [...expected.columns.keys()];
  expect(columns, text).toEqual(names);
  const plain = expected.rows.map(({ cells }) => names.map((name) => cells.get(name) ?? null));
  const isEqual =
    rows.length === plain.length &&
    rows.every((row, index) => row.every((cell, at) => isSame(cell, plain[index]?.[at] ?? null)));
  if (!isEqual) expect(rows, text).toEqual(plain);
}

function isSame(found: unknown, expected: Cell): boolean {
  if (typeof found !== "number" || typeof expected !== "number") return found === expected;
  return Math.abs(found - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
}
