import assert from "node:assert/strict";

const ROOT = new URL("../../src/", import.meta.url).pathname;

/** Which folders a folder may import from; itself goes without saying. */
const ALLOWED: Record<string, string[]> = {
  dns: [],
  corefile: [],
  sys: ["dns"],
  engine: ["dns", "config", "io"],
  metrics: ["engine"],
  io: ["dns", "engine", "sys", "config"],
  upstream: ["dns", "engine", "io"],
  plugins: ["dns", "corefile", "config", "engine", "io", "upstream"],
  config: ["dns", "corefile"],
  loading: ["dns", "corefile", "config", "plugins"],
  control: [
    ...["dns", "engine", "io", "sys", "config", "plugins", "upstream", "corefile", "metrics"],
    "loading",
  ],
  node: ["dns", "sys", "config", "control", "corefile", "engine", "plugins"],
  manifest: ["dns", "config", "corefile", "loading", "node"],
  doctor: ["dns", "sys", "config", "corefile", "loading", "plugins", "node"],
  cli: [
    ...["dns", "engine", "sys", "config", "loading", "plugins", "corefile", "control", "metrics"],
    ...["node", "manifest", "doctor"],
  ],
};
/** Folders that must not touch the machine: it is handed to them. */
const PURE = [
  "dns",
  "corefile",
  "engine",
  "upstream",
  "plugins",
  "config",
  "loading",
  "metrics",
  "manifest",
];

function* sources(folder = ""): Generator<{ path: string; text: string }> {
  for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield { path, text: Deno.readTextFileSync(ROOT + path) };
  }
}

Deno.test("imports point one way", () => {
  for (const { path, text } of sources()) {
    const own = path.split("/")[0]!;
    for (const [, specifier] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const target = new URL(specifier!, `file://${ROOT}${path}`).pathname;
      if (!target.startsWith(ROOT)) continue;
      const folder = target.slice(ROOT.length).split("/")[0]!;
      assert.ok(
        folder === own || ALLOWED[own]!.includes(folder),
        `${path} imports ${specifier}: ${own} must not know ${folder}`,
      );
    }
  }
});

Deno.test("libraries are loaded when needed, not with the program", () => {
  for (const { path, text } of sources()) {
    if (!PURE.includes(path.split("/")[0]!)) continue;
    const early = /^import (?!type\b)[^;]* from "(?!\.|node:)([^"]+)"/m.exec(text)?.[1];
    assert.equal(early, undefined, path);
  }
});

Deno.test("the engine touches neither the machine nor the clock", () => {
  const forbidden = /\bDeno\.|\bDate\b[.(]|Math\.random|performance\.|setTimeout|setInterval/;
  for (const { path, text } of sources()) {
    if (!PURE.includes(path.split("/")[0]!)) continue;
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.equal(forbidden.exec(code)?.[0], undefined, path);
  }
});

Deno.test("files stay short", () => {
  for (const { path, text } of sources()) {
    const lines = text.split("\n").length;
    assert.ok(lines <= 460, `${path} has ${lines} lines`);
  }
});
