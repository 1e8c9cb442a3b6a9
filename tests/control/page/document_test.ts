import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { pageDocument } from "../../../src/control/page/document/document.ts";

const MAX_BYTES = 60_000;

const { headers, body } = await pageDocument();
const text = body as string;

const only = (pattern: RegExp): string => {
  const all = [...text.matchAll(pattern)];
  assert.equal(all.length, 1, String(pattern));
  return all[0]![1]!;
};

Deno.test("page: the document is small", () => {
  assert.ok(new TextEncoder().encode(text).length < MAX_BYTES);
});

Deno.test("page: its policy allows exactly its script and style", () => {
  const hash = (content: string) =>
    `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
  const policy = headers!["content-security-policy"]!;
  const directives = new Map(
    policy.split("; ").map((one) => {
      const [name, ...values] = one.split(" ");
      return [name, values.join(" ")];
    }),
  );
  assert.equal(directives.get("default-src"), "'none'");
  assert.equal(directives.get("script-src"), hash(only(/<script>([^]*?)<\/script>/g)));
  assert.equal(directives.get("style-src"), hash(only(/<style>([^]*?)<\/style>/g)));
  for (const name of ["base-uri", "form-action", "frame-ancestors", "trusted-types"]) {
    assert.equal(directives.get(name), "'none'", name);
  }
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});

Deno.test("page: it loads nothing from elsewhere", () => {
  assert.doesNotMatch(text, /\b(?:src|srcset|action|formaction|poster|data|ping)=/);
  assert.doesNotMatch(text, /@import|url\(|\bimport\b|\bfetch\(|XMLHttpRequest|WebSocket/);
  const links = [...text.matchAll(/\bhref="([^"]*)"/g)].map(([, link]) => link!);
  assert.deepEqual(links.filter((link) => !/^(#|data:)/.test(link)), []);
});

Deno.test("page: values can become text only", () => {
  const html = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextual/;
  assert.doesNotMatch(text, html);
  assert.doesNotMatch(text, /\beval\b|new Function|javascript:|\son[a-z]+=|\sstyle=/);
});

Deno.test("page: each table has a caption and heads, each picture a name", () => {
  const tables = [...text.matchAll(/<table[^]*?<\/table>/g)].map(([table]) => table);
  assert.ok(tables.length >= 8);
  for (const table of tables) {
    assert.match(table, /<caption id="[a-z-]+">[A-Z]/);
    assert.match(table, /<th scope="col"/);
  }
  for (const [picture] of text.matchAll(/<svg[^>]*>/g)) {
    assert.match(picture, /role="img" aria-labelledby="/);
  }
  const ids = [...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  for (const used of [/aria-labelledby="([^"]+)"/g, /byId\("([^"]+)"\)/g, /\bfill\("([^"]+)"/g]) {
    const missing = [...text.matchAll(used)].map(([, id]) => id!).filter((id) => !ids.includes(id));
    assert.deepEqual(missing, [], String(used));
  }
});
