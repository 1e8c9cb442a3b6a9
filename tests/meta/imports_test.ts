import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { sourcesIn } from "./sources.ts";

/**
 * Allowed imports of each room. A room is a folder of `src`; the companions of plugins, which run
 * in the control plane, are another room.
 */
const ALLOWED: Record<string, string[]> = {
  base: [],
  dns: [],
  corefile: [],
  sys: ["base", "dns"],
  engine: ["dns", "config"],
  metrics: ["engine"],
  io: ["base", "dns", "engine", "sys", "config"],
  upstream: ["dns", "corefile", "engine", "io"],
  config: ["dns", "corefile"],
  follow: ["base", "dns", "corefile", "config", "sys"],
  plugins: ["base", "dns", "corefile", "config", "engine", "io", "upstream", "metrics"],
  companion: [
    ...["base", "dns", "corefile", "config", "engine", "upstream", "metrics", "plugins", "follow"],
    "sys",
  ],
  loading: ["base", "dns", "corefile", "config", "plugins"],
  control: [
    ...["base", "dns", "corefile", "config", "loading", "engine", "io", "upstream", "sys"],
    ...["follow", "metrics", "plugins", "companion", "kernel"],
  ],
  kernel: ["base", "dns", "sys", "engine", "io", "metrics"],
  node: ["base", "dns", "sys", "config", "control", "corefile", "engine", "upstream"],
  inherit: ["dns", "config", "corefile", "loading", "node"],
  manifest: ["dns", "config", "corefile", "loading", "node", "inherit"],
  doctor: [
    "base",
    "dns",
    "sys",
    "config",
    "corefile",
    "loading",
    "plugins",
    "node",
    "inherit",
    "kernel",
  ],
  cli: [
    ...["base", "dns", "engine", "sys", "config", "loading", "plugins", "corefile", "control"],
    ...["follow", "metrics", "node", "manifest", "doctor", "inherit", "kernel"],
  ],
};
/** Folders that must not touch the machine, which is passed to them. */
const PURE = [
  ...["dns", "corefile", "engine", "upstream", "plugins"],
  ...["config", "loading", "metrics", "manifest", "inherit"],
];

const SOURCES = sourcesIn("src").map(({ path, text }) => ({
  path,
  text,
  code: text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""),
}));

function roomOf(path: string): string {
  return /^plugins\/(\w+\/companion\b|companions\.ts$)/.test(path)
    ? "companion"
    : path.split("/")[0]!;
}

Deno.test("imports between folders of src/ follow the allowed directions", () => {
  for (const { path, text } of SOURCES) {
    const own = roomOf(path);
    for (const [, specifier] of text.matchAll(/from "(\.[^"]+)"/g)) {
      const room = roomOf(join(dirname(path), specifier!));
      if (room === "..") continue;
      assert.ok(
        room === own || ALLOWED[own]!.includes(room),
        `${path} imports ${specifier}: ${own} must not know ${room}`,
      );
    }
  }
});

Deno.test("types of Linux are used only in io/linux", () => {
  const types = new Set<string>();
  for (const { path, text } of SOURCES) {
    if (!path.startsWith("io/linux/")) continue;
    for (const [, name] of text.matchAll(/^export (?:interface|type) (\w+)/gm)) types.add(name!);
  }
  assert.ok(types.size > 0);
  for (const { path, text } of SOURCES) {
    if (path.startsWith("io/linux/")) continue;
    for (const [, names, from] of text.matchAll(/\{([^{}]*)\} from "(\.[^"]+)"/g)) {
      if (!from!.includes("io/linux/")) continue;
      const named = names!.split(",").map((name) => name.trim().replace(/^type /, ""));
      assert.deepEqual(named.filter((name) => types.has(name)), [], path);
    }
    assert.doesNotMatch(text, /instanceof (?:Linux|Portable)Driver/, path);
  }
});

Deno.test("libraries are loaded only when needed", () => {
  // The room manifest as a whole is loaded for its command only.
  for (const { path, text } of SOURCES) {
    if (!PURE.includes(roomOf(path)) || roomOf(path) === "manifest") continue;
    const early = /^import (?!type\b)[^;]* from "(?!\.|node:)([^"]+)"/m.exec(text)?.[1];
    assert.equal(early, undefined, path);
  }
});

Deno.test("pure folders use no files, sockets or clock", () => {
  const forbidden = /\bDeno\.|\bDate\b[.(]|Math\.random|performance\.|setTimeout|setInterval/;
  for (const { path, code } of SOURCES) {
    if (!PURE.includes(roomOf(path))) continue;
    assert.equal(forbidden.exec(code)?.[0], undefined, path);
  }
});

const MAX_FILES = 16;

Deno.test("folders have a bounded number of files", () => {
  const counts = new Map<string, number>();
  for (const { path } of SOURCES) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const crowded = [...counts].filter(([, count]) => count > MAX_FILES).map(([folder]) => folder);
  assert.deepEqual(crowded, []);
});

Deno.test("files have a bounded number of lines", () => {
  for (const { path, text } of SOURCES) {
    // Generated.
    if (path === "kernel/program/program.ts") continue;
    const lines = text.split("\n").length;
    assert.ok(lines <= 460, `${path} has ${lines} lines`);
  }
});

Deno.test("only main.ts ends the process", () => {
  for (const { path, code } of SOURCES) assert.doesNotMatch(code, /\bDeno\.exit\b/, path);
});
