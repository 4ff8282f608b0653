// Fields as expressions of ClickHouse: all values, the first as a text, the first as a number.
import { belowSql, pairsBelowSql } from "./below.ts";
import { isPlace, type Field } from "./field.ts";
import { numberOf } from "./numeric-text.ts";
import { pairRegex } from "./pair.ts";
import { plainQuantities } from "./quantity.ts";
import { joinSql, raw, sql, type SqlFragment } from "./sql-fragment.ts";
import { joinTerms } from "./sql-conjunction.ts";
import { compileMatch, type SqlTarget } from "./sql-match.ts";

/** The texts of the scalars of the JSON array `r`. */
const jsonItems = `arrayMap(e -> if(startsWith(e, '"'), JSONExtractString(e), e),
  arrayFilter(e -> NOT match(e, '^[{[n]'), JSONExtractArrayRaw(r)))`;
const timeText = raw("toString(toUnixTimestamp64Nano(time))");

type Target = Pick<SqlTarget, "message" | "parameters">;

/** Array(String) of the values of a field. */
export function fieldTexts(field: Field, target: Target): SqlFragment {
  const { message, parameters } = target;
  switch (field.kind) {
    case "message":
      return sql`[${message}]`;
    case "time":
      return sql`[${timeText}]`;
    case "label": {
      const label = labelOf(field.index);
      return sql`if(${label} = '', [], [${label}])`;
    }
    case "list": {
      const texts = fieldTexts(field.of, target);
      return sql`arrayFilter(e -> e != '', splitByChar(',', arrayStringConcat(${texts}, ',')))`;
    }
    case "arrayAttribute": {
      const name = parameters.string(field.name);
      const found = sql`if(mapContains(attributes, ${name}), attributes[${name}], 'null')`;
      return sql`arrayMap(r -> multiIf(
        r = 'null', [],
        startsWith(r, '[') AND isValidJSON(r), ${raw(jsonItems)},
        [r]), [${found}])[1]`;
    }
    case "attributesLike": {
      const inside = compileMatch(field.names, raw("k"), { ...target, hasVectorscan: false });
      const condition = inside.terms.length === 0 ? raw("1") : joinTerms(inside);
      return sql`mapValues(mapFilter((k, w) -> ${condition}, attributes))`;
    }
    case "attribute": {
      const name = parameters.string(field.name);
      return sql`if(mapContains(attributes, ${name}), [attributes[${name}]], [])`;
    }
    case "anyAttribute":
      return raw("mapValues(attributes)");
    case "json":
      return jsonTexts(field.path, target);
    case "pair": {
      const regex = parameters.string(pairRegex(field.key));
      const groups = sql`extractGroups(${message}, ${regex})`;
      // Most messages have no such pair, and a search for its beginning is far cheaper.
      const mark = parameters.string(`${field.key}=`);
      return sql`if(position(${message}, ${mark}) = 0, [],
        arrayMap(g -> concat(g[1], g[2], g[3]), arrayFilter(g -> notEmpty(g), [${groups}])))`;
    }
    case "below":
      return belowSql(field.path, message, parameters);
    case "pairsBelow":
      return pairsBelowSql(field.prefix, message, parameters);
    case "quantity":
      return plainQuantities(fieldTexts(field.of, target));
    case "group": {
      const regex = parameters.string(field.regex.text);
      const number = raw(String(field.regex.groups.get(field.name) ?? 0));
      const group = sql`extractGroups(${message}, ${regex})[${number}]`;
      return sql`arrayFilter(e -> e != '', [${group}])`;
    }
    case "firstOf":
      return firstTexts(field.fields, target);
  }
}

/** What is read out of a message costs a parse: ClickHouse skips it where an attribute comes first. */
function firstTexts([first, ...others]: readonly Field[], target: Target): SqlFragment {
  if (first === undefined) return raw("[]");
  const texts = fieldTexts(first, target);
  if (others.length === 0) return texts;
  const rest = firstTexts(others, target);
  if (first.kind !== "attribute") return sql`arrayFirst(t -> notEmpty(t), [${texts}, ${rest}])`;
  return sql`if(mapContains(attributes, ${target.parameters.string(first.name)}), ${texts}, ${rest})`;
}

/** Nullable(String), or String where it is never missing: the first value of a field; NULL = missing. */
export function fieldText(field: Field, target: Target): SqlFragment {
  const { parameters } = target;
  switch (field.kind) {
    case "message":
      return target.message;
    case "time":
      return timeText;
    case "label":
      return sql`nullIf(${labelOf(field.index)}, '')`;
    case "attribute": {
      const name = parameters.string(field.name);
      return sql`if(mapContains(attributes, ${name}), attributes[${name}], NULL)`;
    }
    default:
      return sql`arrayFirstOrNull(e -> 1, ${fieldTexts(field, target)})`;
  }
}

/** Nullable(Float64): the first value of a field, if it is a number. */
export function fieldNumber(field: Field, target: Target): SqlFragment {
  return numberOf(fieldText(field, target));
}

function labelOf(index: number): SqlFragment {
  return raw(`prefix${String(index)}`);
}

/** The extracted JSON is written anew by ClickHouse; it is read once, whatever it is. */
function jsonTexts(path: readonly string[], { message, parameters }: Target): SqlFragment {
  const extract = (keys: readonly string[]) =>
    sql`JSONExtractRaw(${joinSql([message, ...keys.map((key) => parameters.string(key))], ", ")})`;
  const nested = extract(path);
  const flat = extract([path.join(".")]);
  const others = path.some(isPlace)
    ? sql`if(${flat} != '', ${flat}, ${atPlaces(path, { message, parameters })})`
    : flat;
  const found = path.length === 1 ? nested : sql`if(${nested} != '', ${nested}, ${others})`;
  return sql`arrayMap(r -> multiIf(
    startsWith(r, '"'), [JSONExtractString(r)],
    startsWith(r, '['), ${raw(jsonItems)},
    r = '' OR r = 'null' OR startsWith(r, '{'), [],
    [r]), [${found}])[1]`;
}

/** What is under a path all of whose numbers are places in arrays; ClickHouse counts them, and an object's keys, from 1 on. */
function atPlaces(path: readonly string[], { message, parameters }: Target): SqlFragment {
  const keys = path.map((key) =>
    isPlace(key) ? raw(String(Number(key) + 1)) : parameters.string(key),
  );
  const upTo = (count: number) => joinSql([message, ...keys.slice(0, count)], ", ");
  const areArrays = path.flatMap((key, at) =>
    isPlace(key) ? [sql`JSONType(${upTo(at)}) = 'Array'`] : [],
  );
  return sql`if(${joinSql(areArrays, " AND ")}, JSONExtractRaw(${upTo(path.length)}), '')`;
}
