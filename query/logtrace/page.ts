// The page of consumption: one document with its style and script in it, and a policy that allows nothing else.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import type { Reply } from "../exchange/exchange.ts";

const folder = new URL("./page/", import.meta.url);
/** Each imports only from those before it. */
const scripts = ["rows.ts", "chart.ts", "parts.ts", "main.ts"] as const;

/** Reads the page's files once. */
export function createPage(): () => Reply {
  const style = readFileSync(new URL("page.css", folder), "utf8");
  const script = joinScripts();
  const html = readFileSync(new URL("page.html", folder), "utf8")
    .replace("<!-- style -->", () => `<style>${style}</style>`)
    .replace("<!-- script -->", () => `<script type="module">${script}</script>`);
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
  const headers = {
    "Content-Security-Policy": policy,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
  };
  return () => ({ text: html, contentType: "text/html; charset=utf-8", headers });
}

/** One script of all: without types, and without the imports of one from the other. */
function joinScripts(): string {
  return scripts
    .map((name) => stripTypeScriptTypes(readFileSync(new URL(name, folder), "utf8")))
    .map((source) => source.replaceAll(/^import [^;]*;$/gm, "").replaceAll(/^export /gm, ""))
    .join("\n");
}

function hashOf(content: string): string {
  return `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
