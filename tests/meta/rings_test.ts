import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { sourcesIn } from "./sources.ts";

/** Edges from each node, each with an import that causes it. */
type Graph = Map<string, Map<string, string>>;

/** Static imports and exports, of types too, and dynamic imports of a literal path. */
const IMPORT = /\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;

function readImports(): Map<string, string[]> {
  const files = sourcesIn("src").map(({ path, text }) => ({ path: `src/${path}`, text }));
  const paths = new Set(files.map(({ path }) => path));
  return new Map(files.map(({ path, text }) => {
    const targets = [...text.matchAll(IMPORT)].map(([, to]) => join(dirname(path), to!));
    return [path, targets.filter((target) => paths.has(target))];
  }));
}

function addEdge(graph: Graph, from: string, to: string, why: string): void {
  if (!graph.has(from)) graph.set(from, new Map());
  const edges = graph.get(from)!;
  if (!edges.has(to)) edges.set(to, why);
}

/**
 * A graph of files and folders: an import is an edge between two entries of the innermost folder
 * that contains both files. Every ring of files or folders is a ring of entries of one folder.
 */
function entryGraph(imports: Map<string, string[]>): Graph {
  const graph: Graph = new Map();
  for (const [path, targets] of imports) {
    for (const target of targets) {
      const [from, to] = [path.split("/"), target.split("/")];
      let common = 0;
      while (from[common] === to[common]) common++;
      const entry = (parts: string[]) => parts.slice(0, common + 1).join("/");
      addEdge(graph, entry(from), entry(to), `${path} imports ${target}`);
    }
  }
  return graph;
}

/** The shortest way from a node back to itself, or null. */
function ringFrom(graph: Graph, start: string): string[] | null {
  const before = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of graph.get(node)?.keys() ?? []) {
      if (next === start) {
        const ring = [node];
        while (ring[0] !== start) ring.unshift(before.get(ring[0]!)!);
        return ring;
      }
      if (before.has(next)) continue;
      before.set(next, node);
      queue.push(next);
    }
  }
  return null;
}

/** The shortest ring of each node, once, as `a → b → a` from its alphabetically first node. */
function ringsOf(graph: Graph): string[] {
  const rings = new Set<string>();
  for (const start of [...graph.keys()].sort()) {
    const ring = ringFrom(graph, start);
    if (ring === null) continue;
    const first = ring.indexOf([...ring].sort()[0]!);
    const turned = [...ring.slice(first), ...ring.slice(0, first)];
    rings.add([...turned, turned[0]!].join(" → "));
  }
  return [...rings].sort();
}

function explain(graph: Graph, ring: string): string {
  const nodes = ring.split(" → ");
  const steps = nodes.slice(1).map((to, i) => graph.get(nodes[i]!)!.get(to)!);
  return [ring, ...steps.map((step) => `    ${step}`)].join("\n");
}

Deno.test("files and folders do not import each other, directly or in a ring", () => {
  const graph = entryGraph(readImports());
  const rings = ringsOf(graph).map((ring) => explain(graph, ring));
  assert.equal(rings.join("\n"), "", "a ring of imports");
});

Deno.test("a ring of imports is found, whatever its length and kind", () => {
  const imports = new Map([
    ["src/a/one.ts", ["src/b/two.ts"]],
    ["src/b/two.ts", ["src/c/three.ts"]],
    ["src/c/three.ts", ["src/a/other.ts"]],
    ["src/a/other.ts", ["src/a/one.ts"]],
    ["src/d.ts", ["src/a/one.ts"]],
  ]);
  assert.deepEqual(ringsOf(entryGraph(imports)), ["src/a → src/b → src/c → src/a"]);
  const found = (text: string) => [...text.matchAll(IMPORT)].map(([, to]) => to);
  assert.deepEqual(found('import type { A } from "./a.ts";\nexport { b } from "../b.ts";'), [
    "./a.ts",
    "../b.ts",
  ]);
  assert.deepEqual(found('await import("./c.ts"); x as import("./d.ts").D; import "./e.ts";'), [
    "./c.ts",
    "./d.ts",
    "./e.ts",
  ]);
});
