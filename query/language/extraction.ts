// The captures of an event, exactly as the dialect defines them.
//
// Captures are decided in the order in which they are written. Each takes part when it can, begins
// at the smallest offset for which the whole event still matches with all that was decided before,
// and then ends at the largest such offset. An event is read twice for each capture: once to find
// where it begins and once to find where it ends.
import { positionAt } from "./derivative.ts";
import type { Expression } from "./expression.ts";
import { marksOf } from "./lowering.ts";
import type { Matcher } from "./matcher.ts";
import type { CaptureName } from "./pattern.ts";

/** Offsets of a captured text in an event, the last not included. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** A mark whose offset is decided. */
interface Placed {
  readonly mark: number;
  readonly offset: number;
}

/** Where each capture of the pattern stands; null = it takes no part. Undefined = no match. */
export function findSpans(
  matcher: Matcher,
  names: readonly CaptureName[],
  event: Uint8Array,
): Map<CaptureName, Span | null> | undefined {
  if (!matcher.check(event)) return undefined;
  matcher.begin(event.length * (1 + 2 * names.length));
  const spans = new Map<CaptureName, Span | null>();
  let placed: readonly Placed[] = [];
  for (const name of names) {
    const { open, close } = marksOf[name];
    const begin = place(matcher, event, placed, open, true);
    if (begin === undefined) {
      spans.set(name, null);
      continue;
    }
    placed = [...placed, { mark: open, offset: begin }];
    const end = place(matcher, event, placed, close, false) ?? begin;
    placed = [...placed, { mark: close, offset: end }];
    spans.set(name, { begin, end });
  }
  return spans;
}

/**
 * Finds the first or the last offset at which a mark can stand so that the event matches.
 *
 * Beside the expression without the mark, it follows one thread for each offset at which the mark
 * may stand. Threads with equal expressions are one: the best offset wins. So there are never more
 * than there are states.
 */
function place(
  matcher: Matcher,
  event: Uint8Array,
  placed: readonly Placed[],
  mark: number,
  isFirstWanted: boolean,
): number | undefined {
  const { length } = event;
  const { ofByte, count } = matcher.classes;
  const lastPlaced = placed.reduce((last, { offset }) => Math.max(last, offset), -1);
  let main = matcher.root(placed.reduce((marks, each) => marks | (1 << each.mark), 1 << mark));
  // Best first.
  let threads: Thread[] = [];
  for (let offset = 0; ; offset += 1) {
    const position = positionAt(offset, length);
    for (const each of placed) {
      if (each.offset !== offset) continue;
      const symbol = count + each.mark;
      main = matcher.step(main, symbol, position);
      threads = advance(matcher, threads, symbol, position);
    }
    const marked = matcher.step(main, count + mark, position);
    if (marked !== matcher.nothing) {
      const thread = { expression: marked, offset };
      threads = withoutRepeats(isFirstWanted ? [...threads, thread] : [thread, ...threads]);
    }
    const sure = threads.findIndex(({ expression }) => expression === matcher.anything);
    if (sure >= 0 && offset >= lastPlaced) {
      // What comes after it cannot win. When the first is wanted, neither can what is yet to come.
      threads.length = sure + 1;
      if (isFirstWanted) main = matcher.nothing;
      if (isFirstWanted && sure === 0) return threads[0]?.offset;
    }
    if (offset === length) break;
    if (main === matcher.nothing && threads.length === 0) return undefined;
    const symbol = ofByte[event[offset] ?? 0] ?? 0;
    main = matcher.step(main, symbol, position);
    threads = advance(matcher, threads, symbol, position);
    if (matcher.isFull) [main, threads] = renewed(matcher, main, threads);
  }
  const position = positionAt(length, length);
  return threads.find(({ expression }) => (expression.nullable & position) !== 0)?.offset;
}

/** An expression in which the mark stands at an offset. */
interface Thread {
  readonly expression: Expression;
  readonly offset: number;
}

function advance(
  matcher: Matcher,
  threads: Thread[],
  symbol: number,
  position: ReturnType<typeof positionAt>,
): Thread[] {
  if (threads.length === 0) return threads;
  const advanced: Thread[] = [];
  for (const { expression, offset } of threads) {
    const next = matcher.step(expression, symbol, position);
    if (next !== matcher.nothing) advanced.push({ expression: next, offset });
  }
  return withoutRepeats(advanced);
}

let stamp = 0;

/** Leaves of each expression the first thread, which is the best. */
function withoutRepeats(threads: Thread[]): Thread[] {
  if (threads.length < 2) return threads;
  stamp += 1;
  return threads.filter(({ expression }) => {
    if (expression.stamp === stamp) return false;
    expression.stamp = stamp;
    return true;
  });
}

function renewed(
  matcher: Matcher,
  main: Expression,
  threads: readonly Thread[],
): [Expression, Thread[]] {
  const kept = [main, ...threads.map(({ expression }) => expression)];
  const [newMain = main, ...copies] = matcher.renew(kept);
  return [
    newMain,
    threads.map(({ expression, offset }, index) => ({
      expression: copies[index] ?? expression,
      offset,
    })),
  ];
}
