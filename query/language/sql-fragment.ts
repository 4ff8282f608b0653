// Pieces of SQL with bound parameters: values from outside never stand in the text.

/** Text with parameters as `{p0:String}`, and their values by name. */
export interface SqlFragment {
  readonly text: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Gives out parameter names that are unique in one query: fragments of one allocator compose. */
export class SqlParameters {
  readonly #known = new Map<string, SqlFragment>();

  /** A parameter of type String; the same value is the same parameter. */
  string(value: string): SqlFragment {
    return this.#bind("String", value);
  }

  /** A parameter of type Array(String). */
  strings(values: readonly string[]): SqlFragment {
    return this.#bind("Array(String)", values);
  }

  /** A parameter of type Array(Nullable(String)). */
  nullableStrings(values: readonly (string | null)[]): SqlFragment {
    return this.#bind("Array(Nullable(String))", values);
  }

  /** A parameter of type Float64, of a finite number. */
  float(value: number): SqlFragment {
    return this.#bind("Float64", value);
  }

  /** A parameter of type Int64; larger numbers are cut to its range. */
  int64(value: bigint): SqlFragment {
    const max = 2n ** 63n - 1n;
    const cut = value > max ? max : value < -max ? -max : value;
    return this.#bind("Int64", cut.toString());
  }

  #bind(type: string, value: unknown): SqlFragment {
    const key = JSON.stringify([type, value]);
    let found = this.#known.get(key);
    if (found === undefined) {
      const name = `p${String(this.#known.size)}`;
      found = { text: `{${name}:${type}}`, params: { [name]: value } };
      this.#known.set(key, found);
    }
    return found;
  }
}

/** Text that a program wrote, a column's name say. */
export function raw(text: string): SqlFragment {
  return { text, params: {} };
}

/** A fragment out of a template whose values are fragments. */
export function sql(texts: TemplateStringsArray, ...values: readonly SqlFragment[]): SqlFragment {
  const text = texts.reduce((all, part, index) => all + (values[index - 1]?.text ?? "") + part);
  return { text, params: Object.assign({}, ...values.map(({ params }) => params)) };
}

/** Fragments joined by an operator, or as a list. */
export function joinSql(
  fragments: readonly SqlFragment[],
  operator: " AND " | " OR " | ", ",
): SqlFragment {
  return {
    text: fragments.map(({ text }) => text).join(operator),
    params: Object.assign({}, ...fragments.map(({ params }) => params)),
  };
}
