// The tables that power queries look values up in: configuration files below /datatables/.
import { parseRelaxedJson, type RelaxedValue } from "../../ingest/protocols/relaxed-json.ts";
import { isObject, toPlain } from "../../ingest/protocols/scalyr-json.ts";
import { LogboomError } from "../../schemas/errors.ts";
import type { DataCell, DataTable } from "../language/power-lookup-sql.ts";
import type { Records } from "../records.ts";
import { fileContent } from "./files.ts";

const FOLDER = "/datatables/";
const EXAMPLE = '{"columnNames": ["id", "name"], "rows": [[1, "x"]]}';

/**
 * Finds a customer's tables by name, each read once.
 * The function throws LogboomError BAD_REQUEST when a file of the name is no table.
 */
export function dataTables(
  records: Records,
  customer: string,
): (name: string) => DataTable | undefined {
  const known = new Map<string, DataTable | undefined>();
  return (name) =>
    known.getOrInsertComputed(name, () => {
      const path = `${FOLDER}${name}`;
      const content = fileContent(records, customer, path);
      return content === undefined ? undefined : readDataTable(path, content);
    });
}

/** Reads `{columnNames: ["id", "name"], rows: [[1, "x"]]}`, in the vendor's relaxed JSON. @throws LogboomError BAD_REQUEST */
export function readDataTable(path: string, content: string): DataTable {
  const { columnNames: columns, rows } = parseFile(path, content);
  if (!Array.isArray(columns) || !columns.every((name) => typeof name === "string")) {
    throw notATable(path, "columnNames is no list of texts");
  }
  if (columns.length === 0 || new Set(columns).size < columns.length) {
    throw notATable(path, "columnNames is empty, or has a name twice");
  }
  if (!Array.isArray(rows)) throw notATable(path, "rows is no list");
  for (const [index, row] of rows.entries()) {
    if (!Array.isArray(row) || row.length !== columns.length || !row.every(isCell)) {
      const what = `row ${index} is no list of ${columns.length} texts, numbers, booleans and nulls`;
      throw notATable(path, what);
    }
  }
  return { columns, rows: rows as DataCell[][] };
}

function parseFile(path: string, content: string): Readonly<Record<string, unknown>> {
  let value: RelaxedValue;
  try {
    value = parseRelaxedJson(Buffer.from(content));
  } catch (error) {
    if (error instanceof LogboomError) throw notATable(path, error.message);
    throw error;
  }
  if (!isObject(value)) throw notATable(path, "it is no object");
  return toPlain(value) as Readonly<Record<string, unknown>>;
}

function isCell(cell: unknown): cell is DataCell {
  return cell === null || ["string", "number", "boolean"].includes(typeof cell);
}

function notATable(path: string, why: string): LogboomError {
  return new LogboomError("BAD_REQUEST", `the file ${path} is no table: ${why}; write ${EXAMPLE}`, {
    details: { field: "query", value: path },
  });
}
