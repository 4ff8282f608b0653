// Operations of the API description: their parameters, replies and refusals.
import { z } from "zod";
import { errorCatalogue, type ErrorCode } from "../errors.ts";

export const text = { schema: { type: "string" } };

export function json(schema: z.ZodType): Record<string, object> {
  return { "application/json": { schema: z.toJSONSchema(schema, { io: "input" }) } };
}

const retryAfter = {
  headers: { "Retry-After": { schema: { type: "integer" }, description: "seconds" } },
};

/** Responses of the catalogue's codes, one for each HTTP status. */
export function failures(codes: readonly ErrorCode[], content: object): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, sharing]) => [
      String(status),
      {
        description: sharing.map((code) => `${code}: ${errorCatalogue[code].sentence}`).join("; "),
        content,
        ...([429, 503].includes(status) && retryAfter),
      },
    ]),
  );
}

/** What a parameter is for; its type is a string unless said otherwise. */
type Parameter = string | { readonly description: string; readonly schema: object };

/** A whole number within bounds. */
export function whole(description: string, minimum: number, maximum?: number): Parameter {
  const bounds = { minimum, ...(maximum !== undefined && { maximum }) };
  return { description, schema: { type: "integer", ...bounds } };
}

/** One of several words; the first is the default. */
export function words(description: string, ...values: readonly string[]): Parameter {
  return { description, schema: { type: "string", enum: values, default: values[0] } };
}

type Parameters = Readonly<Record<string, Parameter>>;

/** One method of a path of a vendor's API. */
export interface Call {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: Parameters;
  readonly header?: Parameters;
  /** A JSON body; absent: none. */
  readonly body?: z.ZodType;
  /** Whether a request without the body is good as well. */
  readonly isBodyOptional?: boolean;
  /** By status; "text" is text/plain, none has no body. */
  readonly replies: Readonly<
    Record<string, readonly [description: string, schema?: z.ZodType | "text"]>
  >;
  readonly security?: readonly Readonly<Record<string, readonly []>>[];
}

/** What all calls of a vendor's API have. */
export interface Vendor {
  readonly tag: string;
  readonly security: readonly Readonly<Record<string, readonly []>>[];
  /** What the names in braces of its paths are. */
  readonly path: Parameters;
  /** Refusals by status, as the vendor words them. */
  readonly refusals: Readonly<Record<string, string>>;
  readonly refusal: z.ZodType | "text";
}

/** An operation of the path, by its method's name in lower case. */
export function describeCall(vendor: Vendor, path: string, call: Call): object {
  const { id, summary, description, body, isBodyOptional, security } = call;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const inPath = Object.fromEntries(names.map((name) => [name, vendor.path[name] ?? name]));
  const parameters = [
    ...list(inPath, "path"),
    ...list(call.query ?? {}, "query"),
    ...list(call.header ?? {}, "header"),
  ];
  return {
    operationId: id,
    tags: [vendor.tag],
    summary,
    ...(description !== undefined && { description }),
    security: security ?? vendor.security,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: isBodyOptional !== true, content: json(body) },
    }),
    responses: Object.fromEntries([
      ...Object.entries(call.replies).map(([status, [what, schema]]) => [
        status,
        { description: what, ...contentOf(schema) },
      ]),
      ...Object.entries(vendor.refusals)
        .filter(([status]) => !(status in call.replies))
        .map(([status, what]) => [
          status,
          {
            description: what,
            ...contentOf(vendor.refusal),
            ...(["429", "503"].includes(status) && retryAfter),
          },
        ]),
    ]) as object,
  };
}

/** The paths of a vendor's API. */
export function describePaths(
  vendor: Vendor,
  paths: Readonly<Record<string, Readonly<Record<string, Call>>>>,
): Record<string, Record<string, object>> {
  return Object.fromEntries(
    Object.entries(paths).map(([path, calls]) => [
      path,
      Object.fromEntries(
        Object.entries(calls).map(([method, call]) => [method, describeCall(vendor, path, call)]),
      ),
    ]),
  );
}

function contentOf(schema: z.ZodType | "text" | undefined): { content?: object } {
  if (schema === undefined) return {};
  return { content: schema === "text" ? { "text/plain": text } : json(schema) };
}

function list(parameters: Parameters, place: "path" | "query" | "header"): object[] {
  return Object.entries(parameters).map(([name, parameter]) => ({
    name,
    in: place,
    ...(place === "path" && { required: true }),
    ...(typeof parameter === "string" ? { description: parameter, ...text } : parameter),
  }));
}
