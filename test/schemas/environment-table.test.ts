// The documented table of variables is the schema's.
import { expect, test } from "vitest";
import { environment } from "../../schemas/config.ts";
import { pageWithEnvironment, renderEnvironment } from "../support/render-environment.ts";

test("the table is what the schema renders (`render-environment.ts --write` puts it in)", () => {
  const { actual, expected } = pageWithEnvironment();
  expect(actual).toBe(expected);
  // The line above holds as well when the place of the table is not found: then nothing is replaced.
  expect(actual).toContain(renderEnvironment());
});

test("every variable has a row with its name, its default and what it is for", () => {
  const rows = renderEnvironment().split("\n");
  expect(rows).toHaveLength(Object.keys(environment).length);
  expect(rows).toContain("| `LOGBOOM_PORT` | 7024 | port of ingest, search and operations |");
  expect(rows).toContain(
    "| `LOGBOOM_WRITE_TOKEN` |  | bootstrap write token; generated when absent |",
  );
});

// Markdown ends a table at a blank line or a comment: rows after one are shown as text with bars.
test("the rows follow the table's head without a line between", () => {
  const { actual } = pageWithEnvironment();
  const lines = actual.split("\n");
  const firstRow = lines.findIndex((line) => line.includes("`LOGBOOM_HOST`"));
  expect(lines[firstRow - 1]).toMatch(/^\|[ -]*-[ -|]*\|$/);
});
