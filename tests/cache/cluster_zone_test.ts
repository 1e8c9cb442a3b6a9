import assert from "node:assert/strict";
import { formatName, parseName } from "../../src/dns/name.ts";
import { Memory } from "../../src/engine/memory.ts";
import { Question } from "../../src/engine/question/question.ts";
import { readQuestion } from "../../src/engine/question/read.ts";
import { ClusterZone } from "../../src/plugins/cache/search_cut/cluster_zone.ts";

/** Beyond 16 bits, as in a receive buffer. */
const OFFSET = 70_000;

/** Names above, the shortest first; null outside the zone. */
function ancestors(name: string, zone = "cluster.local."): string[] | null {
  const wire = parseName(name);
  const memory = new Memory(OFFSET + 300);
  memory.bytes.set(wire, OFFSET + 12);
  const question = new Question(memory);
  question.offset = OFFSET;
  question.length = 12 + wire.length + 4;
  assert.ok(readQuestion(question) > 0);
  const found = { at: new Uint32Array(2), count: 9 };
  if (!new ClusterZone(zone).ancestors(question, found)) return null;
  return Array.from({ length: found.count }, (_, i) => formatName(memory.bytes, found.at[i]!));
}

const CASES: [name: string, above: string[] | null][] = [
  ["cluster.local", null],
  ["local", null],
  [".", null],
  ["www.example.org", null],
  ["a.b.xcluster.local", null],
  ["a.b.cluster.local.org", null],
  ["svc.cluster.local", []],
  ["org.cluster.local", []],
  ["shop.svc.cluster.local", []],
  ["www.org.cluster.local", ["org.cluster.local."]],
  ["a.b.c.org.CLUSTER.local", ["org.CLUSTER.local."]],
  ["svc.org.cluster.local", ["org.cluster.local."]],
  ["api.shop.svc.cluster.local", ["shop.svc.cluster.local."]],
  ["web-0.api.shop.SVC.cluster.local", ["shop.SVC.cluster.local.", "api.shop.SVC.cluster.local."]],
  ["www.example.org.shop.svc.cluster.local", [
    "shop.svc.cluster.local.",
    "org.shop.svc.cluster.local.",
  ]],
  ["svc.svc.svc.cluster.local", ["svc.svc.cluster.local."]],
  ["a.svcx.cluster.local", ["svcx.cluster.local."]],
  ["a.\\003svc.cluster.local", ["\\003svc.cluster.local."]],
  ["pod.cluster.local", []],
  ["1-2-3-4.shop.pod.cluster.local", []],
];

for (const [name, above] of CASES) {
  Deno.test(`names above ${name}: ${above === null ? "not in the zone" : above.join(", ") || "none"}`, () => {
    assert.deepEqual(ancestors(name), above);
  });
}

Deno.test("names with the most labels have names above", () => {
  const name = `${"a.".repeat(123)}svc.k8s.`;
  assert.deepEqual(ancestors(name, "k8s."), ["a.svc.k8s.", "a.a.svc.k8s."]);
  assert.deepEqual(ancestors("a.".repeat(127), "a."), ["a.a."]);
});
