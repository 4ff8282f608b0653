// The page's pieces that are lists: keys with what they used of this hour, and rows of the table.
import { showBytes, showHour, showNumber, type Key, type Row } from "./rows.ts";

/** The element of an id that the page has. */
export function find(id: string): HTMLElement {
  return findA(HTMLElement, id);
}

export function findA<Kind extends HTMLElement>(kind: new () => Kind, id: string): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`no ${kind.name} of the id ${id}`);
}

export function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 8)}…` : id;
}

/** @param row of the hour that runs, if there is one */
export function keyItem({ id, environment, tier, revoked, limits }: Key, row: Row | undefined) {
  const name = make("div", { className: "name" });
  const code = make("code", { textContent: shortId(id), title: id });
  const facts = `${environment} · ${tier}${revoked ? " · revoked" : ""}`;
  name.append(code, make("span", { className: "quiet", textContent: facts }));
  const item = document.createElement("li");
  item.append(name);
  for (const [family, label] of [
    ["ingest", "Ingest requests"],
    ["query", "Queries"],
  ] as const) {
    const { requests = 0, refused = 0 } = row?.[family] ?? {};
    item.append(...meter(label, requests, refused, limits[family]));
  }
  return item;
}

function meter(label: string, used: number, refused: number, limit: number | null): HTMLElement[] {
  const text = make("div", { className: "meter-text" });
  const of = limit === null ? "" : ` of ${showNumber(limit)}`;
  const beyond = refused === 0 ? "" : `, ${showNumber(refused)} refused`;
  const value = `${showNumber(used)}${of}${beyond}`;
  text.append(
    make("span", { textContent: label }),
    make("span", { textContent: value, className: refused > 0 ? "over" : "" }),
  );
  if (limit === null) return [text];
  const share = Math.min(used / limit, 1);
  const fill = document.createElement("div");
  fill.style.width = `${share * 100}%`;
  const level = share >= 1 ? " full" : share >= 0.8 ? " high" : "";
  const bar = make("div", { className: `meter${level}` });
  for (const [name, content] of Object.entries({
    role: "meter",
    "aria-label": `${label} of this hour`,
    "aria-valuemin": "0",
    "aria-valuemax": String(limit),
    "aria-valuenow": String(Math.min(used, limit)),
    "aria-valuetext": value,
  })) {
    bar.setAttribute(name, content);
  }
  bar.append(fill);
  return [text, bar];
}

export function tableRow({ hour, environment, key, ingest, query, events, bytes }: Row) {
  const line = document.createElement("tr");
  const head = make("th", { textContent: showHour(hour) });
  head.scope = "row";
  const code = make("code", { textContent: shortId(key), title: key });
  const keyCell = document.createElement("td");
  keyCell.append(code);
  const number = (textContent: string, className = "number") =>
    make("td", { textContent, className });
  const refused = ingest.refused + query.refused;
  line.append(
    head,
    make("td", { textContent: environment }),
    keyCell,
    number(showNumber(ingest.requests)),
    number(showShare(ingest)),
    number(showNumber(query.requests)),
    number(showShare(query)),
    number(showNumber(refused), refused > 0 ? "number over" : "number"),
    number(showNumber(events)),
    number(showBytes(bytes)),
  );
  return line;
}

function showShare({ requests, limit }: { requests: number; limit: number | null }): string {
  if (limit === null) return "–";
  const percent = (100 * requests) / limit;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

export function option(value: string, label: string): HTMLOptionElement {
  return make("option", { value, textContent: label });
}

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]>,
): HTMLElementTagNameMap[Name] {
  return Object.assign(document.createElement(name), properties);
}
