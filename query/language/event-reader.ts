// The values of an event's fields, as the SQL of sql-field.ts finds them.
import type { Field } from "./field.ts";
import { textsBelow } from "./below.ts";
import { findJson, readJson, textsOfJson, type Json } from "./json-message.ts";
import { Matcher } from "./matcher.ts";
import { readPair, readPairsBelow } from "./pair.ts";
import { plainQuantity } from "./quantity.ts";

/** What a predicate is decided on. */
export interface QueryEvent {
  /** ns since 1970. */
  readonly time: bigint;
  /** Valid UTF-8. */
  readonly message: Uint8Array;
  readonly prefixes: readonly [string, string, string, string];
  readonly attributes: Readonly<Record<string, string>>;
}

/** States for a name, which is short. */
const matcherWeight = 5_000;

/** Reads one event, decoding and parsing its message once, when first asked. */
export class EventReader {
  readonly event: QueryEvent;
  #text: string | undefined;
  #json: { readonly document: Json | undefined } | undefined;

  constructor(event: QueryEvent) {
    this.event = event;
  }

  get text(): string {
    this.#text ??= Buffer.from(this.event.message).toString("utf8");
    return this.#text;
  }

  get isObject(): boolean {
    return this.#document?.kind === "object";
  }

  get #document(): Json | undefined {
    this.#json ??= { document: readJson(this.text) };
    return this.#json.document;
  }

  /** All values of a field. */
  texts(field: Field): readonly string[] {
    const { prefixes, attributes, time } = this.event;
    switch (field.kind) {
      case "message":
        return [this.text];
      case "time":
        return [time.toString()];
      case "label":
        return oneOrNone(prefixes[field.index]);
      case "list":
        return this.texts(field.of)
          .flatMap((text) => text.split(","))
          .filter((text) => text !== "");
      case "attribute":
        return Object.hasOwn(attributes, field.name) ? [attributes[field.name] ?? ""] : [];
      case "arrayAttribute":
        return Object.hasOwn(attributes, field.name) ? textsOf(attributes[field.name] ?? "") : [];
      case "attributesLike": {
        const matcher = new Matcher(field.names, matcherWeight);
        return Object.keys(attributes)
          .filter((name) => matcher.check(Buffer.from(name)))
          .map((name) => attributes[name] ?? "");
      }
      case "anyAttribute":
        return Object.values(attributes);
      case "json":
        return textsOfJson(findJson(this.#document, field.path));
      case "pair": {
        const value = readPair(this.text, field.key);
        return value === undefined ? [] : [value];
      }
      case "below":
        return textsBelow(this.#document, field.path);
      case "pairsBelow":
        return readPairsBelow(this.text, field.prefix);
      case "quantity":
        return this.texts(field.of).map(plainQuantity);
      case "group":
        return oneOrNone(
          field.regex.capture(this.text, field.regex.groups.get(field.name) ?? 0) ?? "",
        );
      case "firstOf":
        for (const inner of field.fields) {
          const texts = this.texts(inner);
          if (texts.length > 0) return texts;
        }
        return [];
    }
  }
}

function textsOf(attribute: string): string[] {
  if (attribute === "null") return [];
  const json = attribute.startsWith("[") ? readJson(attribute) : undefined;
  return json === undefined ? [attribute] : textsOfJson(json);
}

function oneOrNone(text: string): string[] {
  return text === "" ? [] : [text];
}
