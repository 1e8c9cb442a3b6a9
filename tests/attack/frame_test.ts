/** Tests of the frame that attack nothing. */
import assert from "node:assert/strict";
import { decode, optionsOf } from "../support/messages/messages.ts";
import { ATTACKS } from "./attacks.ts";
import { collidingName } from "./attacks/colliding_names.ts";
import { loopReply } from "./attacks/reply_loop.ts";
import { subnetQuery, subnetReply } from "./attacks/subnets.ts";
import { longAnswer } from "./attacks/scan_cost.ts";
import type { Outcome } from "./frame/attack.ts";
import { quantile, reportOn, type Sample } from "./frame/client_report.ts";
import { parseCounters, risen } from "./frame/counters.ts";
import { ownGroups } from "./frame/memory_group.ts";
import { judge } from "./frame/run.ts";
import { table } from "./frame/table.ts";
import { query, questionOf, readdressed, wireName } from "./frame/wire.ts";

Deno.test("attacks: each has a unique name, a sentence, and an action", () => {
  const names = ATTACKS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, summary, attack, beside } of ATTACKS) {
    assert.match(summary, /^.{20,110}\.$/, name);
    assert.ok(attack !== undefined || beside !== undefined, name);
  }
});

Deno.test("docs/security.md: documents every attack", () => {
  const page = Deno.readTextFileSync(new URL("../../docs/security.md", import.meta.url));
  const missing = ATTACKS.map(({ name }) => name).filter((name) => !page.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});

Deno.test("colliding names: different names have one Murmur hash under every seed", () => {
  for (const seed of [0, 1, 0x9747b28c, -5]) {
    const names = new Set<string>();
    const hashes = new Set<number>();
    for (let n = 0; n < 4_096; n++) {
      const name = collidingName(n, "evil.test");
      names.add(name.join());
      hashes.add(murmur(name, seed));
    }
    assert.deepEqual([names.size, hashes.size], [4_096, 1]);
  }
});

/** The published 32-bit MurmurHash3, for whole words only. */
function murmur(bytes: Uint8Array, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let h = seed;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    let k = Math.imul(view.getUint32(at, true), 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  return h;
}

Deno.test("client subnets: query and reply are valid; odd names get another subnet", () => {
  for (const label of ["www", "odd4"]) {
    const asked = subnetQuery(`${label}.evil.test`, 7);
    const answer = decode(subnetReply(asked));
    const [mine, theirs] = [decode(asked), answer].map((message) => optionsOf(message)[0]!.data);
    assert.equal(answer.answers!.length, 1);
    assert.equal(theirs![3], 24);
    assert.equal(mine![4] === theirs![4], label === "www");
  }
});

Deno.test("looping reply: its last owner leads to a label that ends at octet 255", () => {
  const name = ["a".repeat(63), "b".repeat(63), "c".repeat(31), "evil.test"].join(".");
  assert.equal(wireName(name).length, 171);
  const reply = loopReply(query(name));
  assert.equal(reply.length, 267);
  assert.equal(199 + 1 + reply[199]!, 256);
});

Deno.test("scan cost: the answer is valid, with 62 KB and eight aliases", () => {
  const { answers = [] } = decode(longAnswer(query("r0.evil.test")));
  const count = (type: string) => answers.filter((one) => one.type === type).length;
  assert.equal(count("CNAME"), 8);
  assert.ok(count("A") > 3_700);
  const made = longAnswer(query("r1.evil.test"));
  assert.ok(made.length > 62_000 && made.length < 65_000, String(made.length));
  assert.equal(questionOf(readdressed(made, query("r2.evil.test"))).name, "r2.evil.test");
});

Deno.test("client report: separates spans and kinds, and counts losses and quantiles", () => {
  const samples: Sample[] = [
    ...Array.from({ length: 100 }, (_, i): Sample => [0, 10, i + 1]),
    ...[[0, 10, -1], [2, 10, -1], [1, 10, 7], [3, 10, 900], [0, 99, 5]] as Sample[],
  ];
  const { hits, misses } = reportOn(samples, 0, 50);
  assert.deepEqual(hits, { asked: 102, lost: 2, p50: 51, p99: 100 });
  assert.deepEqual(misses, { asked: 2, lost: 0, p50: 7, p99: 7 });
  assert.equal(quantile([], 0.5), 0);
});

Deno.test("counters: series of a family are summed, and only increases are reported", () => {
  const before = parseCounters('nodens_a_total 1\nnodens_b_total{x="1"} 2\n');
  const after = parseCounters(
    '# HELP nodens_a_total A.\nnodens_a_total 1\nnodens_b_total{x="1"} 3\nnodens_b_total{x="2"} 4\n',
  );
  assert.deepEqual(risen(before, after), { nodens_b_total: 5 });
});

Deno.test("memory group: finds the process's group of version 1, version 2 and hybrid", () => {
  const hybrid = ownGroups("4:memory:/a\n2:cpu,cpuacct:/b\n0::/c\n");
  assert.deepEqual([hybrid.get("memory"), hybrid.get("cpuacct"), hybrid.get("")], [
    "/a",
    "/b",
    "/c",
  ]);
  assert.equal(ownGroups("0::/user.slice\n").get("memory"), undefined);
});

const KIND = { asked: 10, lost: 0, p50: 0.1, p99: 0.2 };
const CALM: Outcome = {
  alive: true,
  code: 0,
  stopSeconds: 0.1,
  idle: { hits: KIND, misses: KIND },
  attacked: { hits: KIND, misses: KIND },
  memory: { group: 60, process: 80, sockets: 0 },
  outOfMemory: false,
  counted: {},
  hitsAskedAgain: 0,
  facts: {},
  log: "",
};

Deno.test("judge: each single broken promise is one fault", () => {
  const attack = { name: "x", summary: "X." };
  const lost = { hits: { ...KIND, lost: 1 }, misses: KIND };
  const cases: [Partial<Outcome>, RegExp][] = [
    [{ alive: false, code: 3 }, /ended with code 3/],
    [{ code: 143 }, /told to stop/],
    [{ attacked: lost }, /lost 1 of 10 hits/],
    [{ idle: lost }, /before the attack/],
    [{ attacked: { hits: KIND, misses: { ...KIND, asked: 0 } } }, /no misses were asked/],
    [{ outOfMemory: true }, /want of memory/],
    [{ memory: { group: 100, process: 1, sockets: 93 } }, /beyond the limit/],
  ];
  for (const [change, text] of cases) {
    const { faults, slow } = judge(attack, 192, { ...CALM, ...change });
    assert.equal(faults.length, 1, String(text));
    assert.match(faults[0]!, text);
    assert.equal(slow, null);
  }
  assert.deepEqual(judge(attack, 192, CALM).faults, []);
  const late = { hits: { ...KIND, p99: 3.3 }, misses: KIND };
  assert.match(judge(attack, 192, { ...CALM, attacked: late }).slow!, /3\.1 ms more/);
  const strict = { ...attack, judge: () => ["too bad"] };
  assert.deepEqual(judge(strict, 192, CALM).faults, ["too bad"]);
  const patient = { ...attack, slow: () => "too late" };
  assert.deepEqual(judge(patient, 192, CALM).faults, []);
  assert.equal(judge(patient, 192, CALM).slow, "too late");
});

Deno.test("table: has one line per attack, and findings below", () => {
  const verdict = judge({ name: "one", summary: "One." }, 192, {
    ...CALM,
    alive: false,
    code: 137,
    facts: { asked: 5 },
    counted: { nodens_queries_shed_total: 7 },
  });
  const text = table([{ name: "one", verdict }, { name: "two", verdict: "Cannot start" }]);
  assert.match(text, /^\| one +\| no +\| 137 +\| 0\+0 .*\| broken +\|$/m);
  assert.match(
    text,
    /^one: asked 5, nodens_queries_shed 7\n {2}BROKEN: nodens ended with code 137$/m,
  );
  assert.match(text, /^\| two .*\| not run \|$/m);
  assert.match(text, /^two: Cannot start$/m);
});
