// Renders the documented table of environment variables from the configuration's schema; `--write` puts it in.
import { readFileSync, writeFileSync } from "node:fs";
import { environment } from "../../schemas/config.ts";

const page = new URL("../../docs/configuration.md", import.meta.url);

/** Defaults that depend on the machine, as a person would say them. */
const spoken: Readonly<Record<string, string>> = { LOGBOOM_SEARCH_CONCURRENCY: "cores" };

/** The table's rows. */
export function renderEnvironment(): string {
  return Object.entries(environment)
    .map(([name, schema]) => {
      const fallback = schema.safeParse(undefined).data;
      const shown =
        spoken[name] ??
        (fallback === undefined ? "" : JSON.stringify(fallback).replace(/^"(.*)"$/, "$1"));
      return `| \`${name}\` | ${shown} | ${schema.description ?? ""} |`;
    })
    .join("\n");
}

/** The page with the table as it should be. */
export function pageWithEnvironment(): { actual: string; expected: string } {
  const actual = readFileSync(page, "utf8");
  const expected = actual.replace(
    /(\| variable \| default \| \|\n\| --- \| --- \| --- \|\n)[^]*?(<!-- prettier-ignore-end -->)/,
    (_, head: string, end: string) => `${head}${renderEnvironment()}\n${end}`,
  );
  return { actual, expected };
}

if (process.argv.includes("--write")) writeFileSync(page, pageWithEnvironment().expected);
