// Scalyr's configuration files: kept by path, with versions that increase.
import { LogboomError } from "../../schemas/errors.ts";
import type { Reply } from "../exchange/exchange.ts";
import { badField, type Fields } from "../exchange/json-body.ts";
import type { CustomerRecord, Records } from "../records.ts";
import { readText, readWhole, type ScalyrRequest } from "./request.ts";

const MAX_PATH_CHARACTERS = 250;

/** `/getFile` */
export function getFile(records: Records, { fields, principal }: ScalyrRequest): Reply {
  const path = readPath(fields);
  const file = records.find(placeOf(principal), path);
  if (file === undefined) return { json: { status: "success/noSuchFile", path } };
  const expected = readVersion(fields);
  if (expected === file.version) {
    return { json: { status: "success/unchanged", path, version: file.version } };
  }
  return {
    json: {
      status: "success",
      path,
      version: file.version,
      createDate: Date.parse(file.createdAt),
      modDate: Date.parse(file.changedAt),
      content: contentOf(file),
    },
  };
}

/** `/putFile`: creates, replaces or deletes one, unless its version is not the expected one. */
export async function putFile(
  records: Records,
  { fields, principal }: ScalyrRequest,
): Promise<Reply> {
  const place = placeOf(principal);
  const path = readPath(fields);
  const file = records.find(place, path);
  const expected = readVersion(fields);
  // -1 stands for a file that is not there.
  if (expected !== undefined && expected !== (file?.version ?? -1)) {
    throw new LogboomError(
      "BAD_REQUEST",
      `the file has version ${file?.version ?? -1}, not ${expected}`,
      { details: { field: "expectedVersion", reason: "version" } },
    );
  }
  if (isTrue(fields["deleteFile"])) {
    const wasThere = await records.delete(place, path);
    return { json: { status: wasThere ? "success" : "success/noSuchFile", path } };
  }
  const content = fields["content"] ?? "";
  if (typeof content !== "string") throw badField("content", content, "a text");
  const { version } = await records.put(place, path, content);
  return { json: { status: "success", path, version } };
}

/** `/listFiles` */
export function listFiles(records: Records, { fields, principal }: ScalyrRequest): Reply {
  const prefix = readText(fields, "pathPrefix") ?? "";
  const paths = records
    .list(placeOf(principal))
    .map(({ id }) => id)
    .filter((path) => path.startsWith(prefix));
  return { json: { status: "success", paths: paths.sort() } };
}

/** What is in a file of the customer; undefined = there is none. */
export function fileContent(records: Records, customer: string, path: string): string | undefined {
  const file = records.find(placeOf({ customer }), path);
  return file === undefined ? undefined : contentOf(file);
}

function placeOf({ customer }: Pick<ScalyrRequest["principal"], "customer">) {
  return { customer, collection: "scalyr-file" } as const;
}

function contentOf({ value }: CustomerRecord): string {
  return typeof value === "string" ? value : "";
}

function readPath(fields: Fields): string {
  const path = readText(fields, "path");
  const isPath =
    path !== undefined && path.length <= MAX_PATH_CHARACTERS && /^\/[^\p{Cc}]+$/u.test(path);
  if (isPath) return path;
  throw badField(
    "path",
    path,
    `a path that begins with "/", of ${MAX_PATH_CHARACTERS} characters at most`,
  );
}

function readVersion(fields: Fields): number | undefined {
  const value = fields["expectedVersion"];
  if (value === undefined) return undefined;
  if (value === -1 || value === "-1") return -1;
  return readWhole(fields, "expectedVersion", {
    fallback: 0,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  });
}

export function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}
