// An HTTP resource as what a monitor looks at.
import { LogboomError } from "../../../schemas/errors.ts";
import { UsageError } from "../../cli-call.ts";
import { readHttpUrl, readWhole, refuseMore } from "../client-options.ts";
import { reasonOf } from "../service-call.ts";
import { readHeaders } from "./headers.ts";
import type { Sections } from "./sections.ts";
import type { Source } from "./source.ts";

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export function readHttpSource(sections: Sections): Source {
  const { values, positionals } = sections.read({
    options: {
      timeout: { type: "string" },
      header: { type: "string", multiple: true },
      method: { type: "string" },
      "split-lines": { type: "boolean" },
    },
    words: 2,
    until: ["count", "changed"],
  });
  const url = readUrl(positionals[1]);
  refuseMore(positionals, 2, "the source http takes a URL");
  const headers = readHeaders(values.header);
  const method = (values.method ?? "GET").toUpperCase();
  if (!/^[A-Z]{1,20}$/.test(method)) throw new UsageError(`--method "${method}" must be like GET`);
  const limits = { minimum: 1, maximum: 3_600_000 };
  const timeoutMs = readWhole("--timeout", values.timeout ?? String(DEFAULT_TIMEOUT_MS), limits);
  const shown = `${url.origin}${url.pathname}`;

  const readText = async (): Promise<string> => {
    try {
      const response = await fetch(url, {
        method,
        headers,
        // A header may be a secret, and is meant for this address.
        redirect: values.header === undefined ? "follow" : "manual",
        signal: AbortSignal.timeout(timeoutMs),
      });
      if (response.ok) return await readBody(response);
      await response.body?.cancel();
      throw new LogboomError("UNAVAILABLE", `${shown} answered ${response.status}`);
    } catch (error) {
      if (error instanceof LogboomError) throw error;
      throw new LogboomError("UNAVAILABLE", `no answer from ${shown}: ${reasonOf(error)}`);
    }
  };
  return {
    name: `http ${shown}`,
    readText,
    countLines: async () => {
      const text = await readText();
      if (text === "") return 0;
      return values["split-lines"] === true ? text.replace(/\n$/, "").split("\n").length : 1;
    },
  };
}

function readUrl(given: string | undefined): URL {
  const url = readHttpUrl(given ?? "");
  if (url !== undefined) return url;
  throw new UsageError("the source http takes a URL, http: or https:, without user and password");
}

async function readBody(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > MAX_BODY_BYTES) {
      throw new LogboomError("TOO_LARGE", `the answer is longer than ${MAX_BODY_BYTES} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}
