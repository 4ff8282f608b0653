// The page's life: a key is given, its consumption read and shown; the key is kept in no other place than its field.
import { drawChart, type Bar } from "./chart.ts";
import { find, findA, keyItem, option, shortId, tableRow } from "./parts.ts";
import {
  figureNames,
  figureOf,
  readConsumption,
  Refusal,
  showFigure,
  showHour,
  showNumber,
  type Consumption,
  type Figure,
  type Row,
} from "./rows.ts";

const HOUR_MS = 3_600_000;
/** Beyond it, bars are days. */
const MAX_HOUR_BARS = 7 * 24;
const ROWS_AT_ONCE = 200;

const form = findA(HTMLFormElement, "ask");
const keyField = findA(HTMLInputElement, "key");
const period = findA(HTMLSelectElement, "period");
const figureField = findA(HTMLSelectElement, "figure");
const environmentField = findA(HTMLSelectElement, "environment");
const ofKeyField = findA(HTMLSelectElement, "of-key");
const moreButton = findA(HTMLButtonElement, "more");

let shown: Consumption | undefined;
let rowCount = ROWS_AT_ONCE;
let asking = new AbortController();

async function ask(): Promise<void> {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  say("Asking …");
  form.setAttribute("aria-busy", "true");
  try {
    const consumption = await readConsumption(keyField.value.trim(), Number(period.value), signal);
    if (!signal.aborted) show(consumption);
  } catch (error) {
    if (signal.aborted) return;
    hide();
    say("", error instanceof Refusal ? error.message : "The answer cannot be read.");
  } finally {
    if (!signal.aborted) form.removeAttribute("aria-busy");
  }
}

function say(status: string, error = ""): void {
  find("status").textContent = status;
  find("error").textContent = error;
}

function hide(): void {
  shown = undefined;
  find("result").hidden = true;
  for (const id of ["keys", "rows", "chart", "environment", "of-key", "readout", "shown"]) {
    find(id).replaceChildren();
  }
}

function show(consumption: Consumption): void {
  shown = consumption;
  const { rows, keys, isCut } = consumption;
  const count = `${showNumber(rows.length)} ${rows.length === 1 ? "row" : "rows"}`;
  say(
    rows.length === 0
      ? "Nothing was consumed in this period."
      : isCut
        ? `Only the newest ${count} are here: choose a shorter period for exact sums.`
        : `${count} from ${showHour(consumption.from)} to ${showHour(consumption.to)} UTC.`,
  );
  showThisHour(consumption);
  fill(
    environmentField,
    "All",
    [...new Set(rows.map(({ environment }) => environment))],
    (one) => one,
  );
  fill(ofKeyField, "All", [...new Set(rows.map(({ key }) => key))], shortId);
  for (const id of ["chart-title", "table-title"]) {
    const section = find(id).closest("section");
    if (section !== null) section.hidden = rows.length === 0;
  }
  find("result").hidden = keys.length === 0 && rows.length === 0;
  redraw();
}

function showThisHour({ rows, keys, to }: Consumption): void {
  const hour = new Date(Date.parse(to) - HOUR_MS).toISOString().slice(0, 13);
  const now = new Map(rows.filter((row) => row.hour.startsWith(hour)).map((row) => [row.key, row]));
  const minutes = Math.max(Math.ceil((Date.parse(to) - Date.now()) / 60_000), 0);
  find("reset").textContent =
    `Since ${hour.slice(11)}:00 UTC; limits begin anew at ${to.slice(11, 16)} UTC, in ${minutes} min.`;
  const items = keys
    .toSorted((a, b) => usedOf(now.get(b.id)) - usedOf(now.get(a.id)))
    .map((key) => keyItem(key, now.get(key.id)));
  find("keys").replaceChildren(...items);
  const section = find("now-title").closest("section");
  if (section !== null) section.hidden = keys.length === 0;
}

function usedOf(row: Row | undefined): number {
  return (row?.ingest.requests ?? 0) + (row?.query.requests ?? 0);
}

/** The choice stays as it was, where there still is one of it. */
function fill(
  field: HTMLSelectElement,
  all: string,
  values: readonly string[],
  nameOf: (value: string) => string,
): void {
  const former = field.value;
  const options = values.toSorted().map((value) => option(value, nameOf(value)));
  field.replaceChildren(option("", all), ...options);
  field.value = values.includes(former) ? former : "";
}

function chosenRows({ rows }: Consumption): readonly Row[] {
  return rows.filter(
    (row) =>
      ["", row.environment].includes(environmentField.value) &&
      ["", row.key].includes(ofKeyField.value),
  );
}

function redraw(): void {
  if (shown === undefined || shown.rows.length === 0) return;
  const rows = chosenRows(shown);
  drawBars(shown, rows);
  find("rows").replaceChildren(...rows.slice(0, rowCount).map(tableRow));
  find("shown").textContent =
    rows.length > rowCount
      ? `The newest ${showNumber(rowCount)} of ${showNumber(rows.length)} rows.`
      : rows.length === 0
        ? "No hour fits this choice."
        : "";
  moreButton.hidden = rows.length <= rowCount;
}

function drawBars({ from, to }: Consumption, rows: readonly Row[]): void {
  const figure = figureField.value as Figure;
  const first = Date.parse(from);
  const hours = (Date.parse(to) - first) / HOUR_MS;
  const isByDay = hours > MAX_HOUR_BARS;
  const dayOrHour = (iso: string): string => iso.slice(0, isByDay ? 10 : 13);
  const sums = new Map<string, number>();
  for (let hour = 0; hour < hours; hour++) {
    sums.set(dayOrHour(new Date(first + hour * HOUR_MS).toISOString()), 0);
  }
  for (const row of rows) {
    const name = dayOrHour(row.hour);
    sums.set(name, (sums.get(name) ?? 0) + figureOf(row, figure));
  }
  const limit = isByDay ? undefined : limitOf(rows, figure);
  const bars = [...sums].map(([name, value]): Bar => {
    const when = isByDay ? name : `${name.slice(0, 10)} ${name.slice(11)}:00`;
    const of = limit === undefined ? "" : ` of ${showNumber(limit)}`;
    const title = `${when}: ${showFigure(value, figure)}${of}`;
    const label = isByDay || hours > 48 ? name.slice(5, 10) : `${name.slice(11)}:00`;
    return { title, label, value };
  });
  const what = `${figureNames[figure]} by ${isByDay ? "day" : "hour"}, UTC`;
  find("legend").textContent =
    limit === undefined && !isByDay && (figure === "ingest" || figure === "query")
      ? `${what}; choose a key to see its limit`
      : what;
  drawChart(find("chart"), {
    bars,
    figure,
    name: what,
    limit,
    onChoose: ({ title }) => (find("readout").textContent = title),
  });
}

/** The limit of an hour, where the bars are of one key. */
function limitOf(rows: readonly Row[], figure: Figure): number | undefined {
  if (figure !== "ingest" && figure !== "query") return undefined;
  if (new Set(rows.map(({ key }) => key)).size !== 1) return undefined;
  return rows.find((row) => row[figure].limit !== null)?.[figure].limit ?? undefined;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  rowCount = ROWS_AT_ONCE;
  void ask();
});
function forget(): void {
  asking.abort();
  form.removeAttribute("aria-busy");
  keyField.value = "";
  hide();
  say("");
}
find("forget").addEventListener("click", () => {
  forget();
  say("The key is forgotten.");
  keyField.focus();
});
// A browser may keep pages that were left, and give them back.
addEventListener("pagehide", forget);
for (const field of [figureField, environmentField, ofKeyField]) {
  field.addEventListener("change", () => {
    rowCount = ROWS_AT_ONCE;
    redraw();
  });
}
moreButton.addEventListener("click", () => {
  rowCount += ROWS_AT_ONCE;
  redraw();
});
figureField.replaceChildren(
  ...Object.entries(figureNames).map(([figure, name]) => option(figure, name)),
);
let drawnWidth = 0;
new ResizeObserver(([entry]) => {
  const width = entry?.contentRect.width ?? 0;
  if (width === drawnWidth) return;
  drawnWidth = width;
  redraw();
}).observe(find("chart"));
