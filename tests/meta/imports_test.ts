import assert from "node:assert/strict";

const ROOT = new URL("../../src/", import.meta.url).pathname;

/**
 * Which rooms a room may import from, besides itself. A room is a folder of `src`, but for the
 * companions of plugins, which run in the control plane and are a room of their own.
 */
const ALLOWED: Record<string, string[]> = {
  base: [],
  dns: [],
  corefile: [],
  sys: ["dns"],
  engine: ["dns", "config"],
  metrics: ["engine"],
  io: ["dns", "engine", "sys", "config"],
  upstream: ["dns", "corefile", "engine", "io"],
  config: ["dns", "corefile"],
  follow: ["base", "dns", "corefile", "config", "sys"],
  plugins: ["base", "dns", "corefile", "config", "engine", "io", "upstream", "metrics"],
  companion: [
    ...["base", "dns", "corefile", "config", "engine", "upstream", "metrics", "plugins", "follow"],
    "sys",
  ],
  loading: ["dns", "corefile", "config", "plugins"],
  control: [
    ...[
      "base",
      "dns",
      "corefile",
      "config",
      "loading",
      "engine",
      "io",
      "upstream",
      "sys",
      "follow",
    ],
    ...["metrics", "plugins", "companion"],
  ],
  node: ["base", "dns", "sys", "config", "control", "corefile", "engine", "upstream"],
  manifest: ["dns", "config", "corefile", "loading", "node"],
  doctor: ["dns", "sys", "config", "corefile", "loading", "plugins", "node"],
  cli: [
    ...["dns", "engine", "sys", "config", "loading", "plugins", "corefile", "control", "follow"],
    ...["metrics", "node", "manifest", "doctor"],
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

function roomOf(path: string): string {
  return /^plugins\/(\w+\/companion\b|companions\.ts$)/.test(path)
    ? "companion"
    : path.split("/")[0]!;
}

Deno.test("imports point one way", () => {
  for (const { path, text } of sources()) {
    const own = roomOf(path);
    for (const [, specifier] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const target = new URL(specifier!, `file://${ROOT}${path}`).pathname;
      if (!target.startsWith(ROOT)) continue;
      const room = roomOf(target.slice(ROOT.length));
      assert.ok(
        room === own || ALLOWED[own]!.includes(room),
        `${path} imports ${specifier}: ${own} must not know ${room}`,
      );
    }
  }
});

Deno.test("types of Linux stay in io/linux", () => {
  const types = new Set<string>();
  for (const { text } of sources("io/linux")) {
    for (const [, name] of text.matchAll(/^export (?:interface|type) (\w+)/gm)) types.add(name!);
  }
  assert.ok(types.size > 0);
  for (const { path, text } of sources()) {
    if (path.startsWith("io/linux/")) continue;
    for (const [, names, from] of text.matchAll(/\{([^{}]*)\} from "(\.[^"]+)"/g)) {
      if (!from!.includes("io/linux/")) continue;
      const named = names!.split(",").map((name) => name.trim().replace(/^type /, ""));
      assert.deepEqual(named.filter((name) => types.has(name)), [], path);
    }
    assert.doesNotMatch(text, /instanceof (?:Linux|Portable)Driver/, path);
  }
});

Deno.test("libraries are loaded when needed, not with the program", () => {
  for (const { path, text } of sources()) {
    if (!PURE.includes(roomOf(path))) continue;
    const early = /^import (?!type\b)[^;]* from "(?!\.|node:)([^"]+)"/m.exec(text)?.[1];
    assert.equal(early, undefined, path);
  }
});

Deno.test("the engine touches neither the machine nor the clock", () => {
  const forbidden = /\bDeno\.|\bDate\b[.(]|Math\.random|performance\.|setTimeout|setInterval/;
  for (const { path, text } of sources()) {
    if (!PURE.includes(roomOf(path))) continue;
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.equal(forbidden.exec(code)?.[0], undefined, path);
  }
});

/** Folders that are still crowded. One that is not any more must leave the list. */
const CROWDED: string[] = [];
/** Files that may lie side by side in a folder. */
const MAX_FILES = 16;

Deno.test("no folder is crowded", () => {
  const counts = new Map<string, number>();
  for (const { path } of sources()) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const crowded = [...counts].filter(([, count]) => count > MAX_FILES).map(([folder]) => folder);
  assert.deepEqual(crowded.sort(), CROWDED);
});

Deno.test("files stay short", () => {
  for (const { path, text } of sources()) {
    const lines = text.split("\n").length;
    assert.ok(lines <= 460, `${path} has ${lines} lines`);
  }
});

Deno.test("only main.ts ends the process", () => {
  for (const { path, text } of sources()) {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    assert.doesNotMatch(code, /\bDeno\.exit\b/, path);
  }
});
