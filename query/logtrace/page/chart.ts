// Bars over time with the limit across them: by pointer or arrow keys, each bar is read out.
import { showShort, type Figure } from "./rows.ts";

export interface Bar {
  /** As it is read out. */
  readonly title: string;
  /** Below the axis, where there is room. */
  readonly label: string;
  readonly value: number;
}

interface ChartOptions {
  readonly bars: readonly Bar[];
  readonly figure: Figure;
  /** What the chart shows, in words. */
  readonly name: string;
  readonly limit: number | undefined;
  readonly onChoose: (bar: Bar) => void;
}

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 260;
const TOP = 16;
const BOTTOM = 28;
const LEFT = 64;
const LABEL_WIDTH = 84;

/** Draws into the place, which is as wide as it is. */
export function drawChart(place: HTMLElement, options: ChartOptions): void {
  const { bars, figure, name, limit, onChoose } = options;
  const width = Math.max(place.clientWidth, 280);
  const inner = width - LEFT;
  const step = inner / Math.max(bars.length, 1);
  const peak = Math.max(...bars.map(({ value }) => value), 0);
  // A limit far above all bars would press them to the ground.
  const isLimitShown = limit !== undefined && limit <= 3 * peak;
  const ticks = ticksUpTo(Math.max(peak, isLimitShown ? limit : 0, 1));
  const top = ticks.at(-1) ?? 1;
  const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT });
  for (const tick of ticks) {
    const at = y(tick);
    svg.append(
      element("line", {
        class: tick === 0 ? "axis" : "grid",
        x1: LEFT,
        x2: width,
        y1: at,
        y2: at,
      }),
      text(showShort(tick, figure), { x: LEFT - 8, y: at + 4, "text-anchor": "end" }),
    );
  }
  const rects = bars.map(({ value }, index) => {
    const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
    // What is there is seen, however small.
    const tall = value === 0 ? 0 : Math.max(y(0) - y(value), 1.5);
    return element("rect", {
      class: "bar",
      x: LEFT + index * step + gap / 2,
      y: y(0) - tall,
      width: Math.max(step - gap, 0.5),
      height: tall,
      rx: step > 10 ? 2 : 0,
    });
  });
  svg.append(...rects);
  const every = Math.max(1, Math.ceil(LABEL_WIDTH / step));
  for (const [index, { label }] of bars.entries()) {
    if (index % every !== 0 || LEFT + index * step + LABEL_WIDTH * 0.8 > width) continue;
    svg.append(text(label, { x: LEFT + index * step, y: HEIGHT - 8 }));
  }
  if (isLimitShown) {
    const at = y(limit);
    svg.append(
      element("line", { class: "limit-line", x1: LEFT, x2: width, y1: at, y2: at }),
      text(`limit ${showShort(limit, figure)}`, {
        class: "limit-text",
        x: width - 4,
        y: at - 5,
        "text-anchor": "end",
      }),
    );
  }
  let chosen = bars.length - 1;
  const choose = (index: number): void => {
    const bar = bars[index];
    if (bar === undefined) return;
    rects[chosen]?.classList.remove("chosen");
    chosen = index;
    rects[chosen]?.classList.add("chosen");
    set(svg, { "aria-valuenow": index, "aria-valuetext": bar.title });
    onChoose(bar);
  };
  set(svg, {
    tabindex: 0,
    role: "slider",
    "aria-label": name,
    "aria-orientation": "horizontal",
    "aria-valuemin": 0,
    "aria-valuemax": Math.max(bars.length - 1, 0),
  });
  svg.addEventListener("keydown", (event) => {
    const target = targetOf(event.key, chosen, bars.length - 1);
    if (target === undefined) return;
    event.preventDefault();
    choose(target);
  });
  svg.addEventListener("pointermove", ({ clientX }) => {
    const { left, width: shown } = svg.getBoundingClientRect();
    const at = ((clientX - left) * width) / shown - LEFT;
    if (at >= 0) choose(Math.min(Math.floor(at / step), bars.length - 1));
  });
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(svg);
  choose(chosen);
  if (hadFocus) svg.focus();
}

function targetOf(key: string, at: number, last: number): number | undefined {
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return Math.max(at - 1, 0);
    case "ArrowRight":
    case "ArrowUp":
      return Math.min(at + 1, last);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return undefined;
  }
}

/** From 0 to at least the value, in steps of 1, 2 or 5 times a power of ten. */
function ticksUpTo(value: number): number[] {
  const rough = value / 4;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? power;
  return Array.from({ length: Math.ceil(value / step) + 1 }, (_, index) => index * step);
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  return made;
}

function text(content: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = element("text", { ...attributes, "aria-hidden": "true" });
  made.textContent = content;
  return made;
}

function set(one: SVGElement, attributes: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, String(value));
}
