// The grammar of KQL once more, as Kibana's document writes it: whether a text is a filter, and nothing else.
//
// It tries alternatives one after another and returns where each may end, so that it shares no idea with the
// parser. Beyond Kibana's there is `X not Y`; a keyword at the end, or before a closing sign, is no value.

type Rule = (text: string, at: number) => number | undefined;

const literal =
  (expression: RegExp): Rule =>
  (text, at) => {
    expression.lastIndex = at;
    const match = expression.exec(text);
    return match === null ? undefined : at + match[0].length;
  };

const sequence =
  (...rules: readonly (() => Rule)[]): Rule =>
  (text, at) =>
    rules.reduce<number | undefined>(
      (from, rule) => (from === undefined ? undefined : rule()(text, from)),
      at,
    );

const choice =
  (...rules: readonly (() => Rule)[]): Rule =>
  (text, at) => {
    for (const rule of rules) {
      const end = rule()(text, at);
      if (end !== undefined) return end;
    }
    return undefined;
  };

const blanks = literal(/\s*/y);
const sign = (characters: string): Rule =>
  literal(new RegExp(characters.replaceAll(/[(){}]/g, String.raw`\$&`), "y"));
const word = (keyword: string): Rule => literal(new RegExp(String.raw`\s+${keyword}\s+`, "iy"));
const notFirst = literal(/not\s+/iy);

const quoted = literal(/"(?:[^"\\]|\\[^])*"/y);
/** Up to a keyword or a sign; trimmed. */
const unquoted: Rule = (text, at) => {
  const end = literal(
    /(?!(?:and|or|not)(?:[\s():<>"{}]|$))(?:(?!\s+(?:and|or|not)(?:[\s()]|$))(?:\\(?:u[0-9a-f]{4}|and|or|not|[trn\\():<>"*{}])|[^\\():<>"{}]))+/iy,
  )(text, at);
  if (end === undefined || text.slice(at, end).trim() === "") return undefined;
  return at + text.slice(at, end).trimEnd().length;
};
const value = choice(
  () => quoted,
  () => unquoted,
);
const between =
  (open: string, inside: () => Rule, close: string): (() => Rule) =>
  () =>
    sequence(
      () => sign(open),
      () => blanks,
      inside,
      () => blanks,
      () => sign(close),
    );

const list = (item: () => Rule): Rule => {
  const negated = choice(() => sequence(() => notFirst, item), item);
  const both: Rule = choice(
    () =>
      sequence(
        () => negated,
        () => word("and"),
        () => both,
      ),
    () =>
      sequence(
        () => negated,
        () => literal(/\s+(?=not\s)/iy),
        () => both,
      ),
    () => negated,
  );
  const either: Rule = choice(
    () =>
      sequence(
        () => both,
        () => word("or"),
        () => either,
      ),
    () => both,
  );
  return either;
};

const values: Rule = choice(
  between("(", () => list(() => values), ")"),
  () => value,
);
const expression: Rule = choice(
  () =>
    sequence(
      () => value,
      () => blanks,
      () => literal(/<=|>=|<|>/y),
      () => blanks,
      () => value,
    ),
  () =>
    sequence(
      () => value,
      () => blanks,
      () => sign(":"),
      () => blanks,
      () => values,
    ),
  () => value,
);
const braces: Rule = sequence(
  () => value,
  () => blanks,
  () => sign(":"),
  () => blanks,
  between("{", () => list(() => sub), "}"),
);
const sub: Rule = choice(
  between("(", () => list(() => sub), ")"),
  () => braces,
  () => expression,
);

export function isKql(text: string): boolean {
  if (text.trim() === "") return true;
  const begin = blanks(text, 0) ?? 0;
  const end = list(() => sub)(text, begin);
  return end !== undefined && blanks(text, end) === text.length;
}
