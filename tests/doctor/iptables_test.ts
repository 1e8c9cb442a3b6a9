import assert from "node:assert/strict";
import {
  type FamilyRules,
  judgeIptables,
  judgeLock,
  judgeMatches,
  type LockFacts,
  type MatchFacts,
} from "../../src/doctor/judge/iptables.ts";
import type { Running } from "../../src/doctor/judge/listeners.ts";
import {
  type BeatFacts,
  judgeForeignRules,
  judgeHeartbeat,
  judgeOwnRules,
  lastSeen,
  levelOf,
  type RuleFacts,
} from "../../src/doctor/judge/rules.ts";
import { moduleNames } from "../../src/doctor/probe/links.ts";
import { matchesOfModules, tryRules } from "../../src/doctor/probe/rules.ts";
import type { Backend } from "../../src/node/rules/iptables.ts";
import { joinWords, parseSaved } from "../../src/node/rules/rule_text.ts";
import { type FailOpenLevel } from "../../src/node/rules/facts.ts";
import { leftOverRules, nodeRules, type RuleOptions } from "../../src/node/rules/rules.ts";
import { expectFinding, testFindings, testJudge } from "../support/doubles/finding_table.ts";

const DNS = "10.96.0.10";
const OPTIONS: RuleOptions = {
  addresses: [DNS],
  port: 53,
  healthPort: 8080,
  failOpenTo: [],
  tracked: [],
};
const FOREIGN = "*filter\n-A FORWARD -j ACCEPT\n-A FORWARD -j DROP\nCOMMIT\n";
const DROP = `*filter\n-A INPUT -d ${DNS}/32 -p udp -m udp --dport 53 -j DROP\nCOMMIT\n`;

const set = (level: FailOpenLevel) => ({
  wanted: nodeRules(4, level, OPTIONS),
  owned: leftOverRules(4, OPTIONS),
  comments: [],
});
const LEVELS: RuleFacts["levels"] = (["socket", "heartbeat", "none"] as const)
  .map((level) => ({ level, set: set(level) }));

function saved(level: FailOpenLevel, keep: (i: number) => boolean = () => true): string {
  return set(level).wanted.filter((_, i) => keep(i)).reverse()
    .map(({ table, chain, args }) => `*${table}\n-A ${chain} ${joinWords(args)}\nCOMMIT\n`).join(
      "",
    );
}

function backend(name: Backend["name"], text: string): Backend {
  return { name, saved: parseSaved(text)! };
}

function rules(nft: string, legacy: string | null = null): FamilyRules {
  const other = legacy === null ? null : backend("legacy", legacy);
  const used = backend("nft", nft);
  return {
    family: 4,
    backends: { used, other, reason: "kubelet or kube-proxy use it", unread: null },
  };
}

const UNREADABLE: FamilyRules = { family: 4, fault: "missing", message: "there is no iptables" };

testFindings("iptables", [
  {
    name: "one kind",
    rules: rules(FOREIGN),
    ok: "nft, because kubelet or kube-proxy use it; 2 rules",
  },
  {
    name: "both kinds",
    rules: rules(FOREIGN, FOREIGN),
    problem: [
      /^rules of both kinds at once: 2 in nft .* and 2 in legacy, such as "-t filter -A FORW/,
      /iptables-legacy-save/,
    ],
  },
  {
    name: "our rules in the other kind are ignored",
    rules: rules(FOREIGN, saved("none")),
    ok: /./,
  },
  { name: "missing", rules: UNREADABLE, problem: ["there is no iptables", /^install iptables/] },
  {
    name: "without permission",
    rules: { family: 6, fault: "permission", message: "it may not" } as FamilyRules,
    problem: [/./, /NET_ADMIN/],
  },
], ({ rules }) => judgeIptables(rules, set("none")));

const LOCK: LockFacts = {
  path: "/run/xtables.lock",
  exists: true,
  container: true,
  mounted: false,
  wantsRules: true,
  backend: "legacy",
};

testJudge("lock", LOCK, judgeLock, [
  { name: "not mounted", warning: [/./, /FileOrCreate/] },
  { name: "mounted", facts: { mounted: true }, ok: /./ },
  { name: "no container", facts: { container: false }, ok: /./ },
  {
    name: "missing",
    facts: { container: false, exists: false },
    ok: /is made when it is first needed$/,
  },
  { name: "nft", facts: { backend: "nft" }, ok: /./ },
  { name: "no rules", facts: { wantsRules: false }, skipped: /./ },
]);

const MATCHES: MatchFacts = {
  loaded: ["comment", "recent", "socket"],
  modules: [],
  test: null,
  failOpen: true,
};

testJudge("matches", MATCHES, judgeMatches, [
  { name: "loaded", ok: "comment, recent, socket" },
  {
    name: "tried",
    facts: { test: { accepted: true, said: "" } },
    ok: /accepted \(tried, not installed\)$/,
  },
  {
    name: "modules",
    facts: { loaded: ["comment"], modules: ["recent", "socket"] },
    ok: /^comment, recent \(a module, not loaded\), socket/,
  },
  { name: "no comment", facts: { loaded: [] }, problem: [/./, /-setupiptables=false/] },
  {
    name: "no recent",
    facts: { loaded: ["comment", "socket"] },
    warning: [/no fail-open/, /xt_recent/],
  },
  {
    name: "no socket",
    facts: { loaded: ["comment", "recent"] },
    warning: [/within two seconds/, /xt_socket/],
  },
  { name: "not needed", facts: { loaded: ["comment"], failOpen: false }, ok: "comment" },
  {
    name: "invisible modules",
    facts: { loaded: ["comment"], modules: null },
    skipped: /^not known whether the kernel has recent, socket/,
  },
  {
    name: "refused",
    facts: { test: { accepted: false, said: "RULE_INSERT failed" } },
    warning: /iptables says: RULE_INSERT failed$/,
  },
]);

Deno.test("moduleNames, matchesOfModules: read names of modules", () => {
  const dep = "kernel/net/netfilter/xt_recent.ko.xz: kernel/net/x_tables.ko.xz\n" +
    "kernel/net/ipv4/netfilter/ipt_ah.ko:\nkernel/drivers/net/dummy.ko\n";
  const names = moduleNames(dep);
  assert.deepEqual(names, ["xt_recent", "ipt_ah", "dummy"]);
  assert.deepEqual(matchesOfModules([...names, "xt-socket"]), ["recent", "ah", "socket"]);
});

const RULES: RuleFacts = {
  rules: rules(saved("socket") + FOREIGN),
  levels: LEVELS,
  running: "nodens",
  failOpen: true,
};
const facts = (nft: string, running: Running = "nodens", legacy: string | null = null) => ({
  ...RULES,
  running,
  rules: rules(nft, legacy),
});

testJudge("rules", RULES, judgeOwnRules, [
  { name: "complete", ok: "14, fail-open by heartbeat and socket (nft)" },
  {
    name: "without fail-open, though requested",
    facts: facts(saved("none")),
    warning: /^12, without fail-open .* nobody does$/,
  },
  {
    name: "some are missing",
    facts: facts(saved("socket", (i) => i > 1)),
    problem: [
      /^12 of 14 rules are there, .*\nmissing: -t raw -I PREROUTING .*--dport 53/,
      /-syncinterval/,
    ],
  },
  {
    name: "none while nodens serves",
    facts: facts(FOREIGN),
    problem: /^none of the 14 rules is there, though nodens serves/,
  },
  {
    name: "none before the start",
    facts: facts(FOREIGN, "nobody"),
    ok: "none; nodens puts 14 in once it answers",
  },
  {
    name: "node-cache's",
    facts: facts(saved("none"), "node-cache"),
    ok: "12 of node-cache, which nodens takes over",
  },
  {
    name: "leftovers without a server",
    facts: facts(saved("none"), "nobody"),
    warning: [/nobody answers queries to these addresses$/, /^start nodens/],
  },
  {
    name: "leftovers with fail-open",
    facts: facts(saved("socket"), "nobody"),
    ok: /queries pass by them meanwhile$/,
  },
  {
    name: "leftovers in the other kind",
    facts: facts(saved("socket"), "nodens", saved("none")),
    warning: /^12 rules of nodens are left in legacy/,
  },
  { name: "unreadable", facts: { rules: UNREADABLE }, skipped: /./ },
]);

testJudge("foreign rules", RULES, judgeForeignRules, [
  { name: "none above", ok: /./ },
  {
    name: "one above",
    facts: facts(DROP + saved("socket")),
    problem: [
      /^a rule above those of nodens takes udp traffic to 10\.96\.0\.10 port 53: .*DROP"$/,
      /^move them below/,
    ],
  },
  { name: "one below", facts: facts(saved("socket") + DROP), ok: /./ },
  { name: "none of ours", facts: facts(DROP, "nobody"), skipped: /./ },
]);

Deno.test("levelOf: finds the nearest level", () => {
  for (const level of ["socket", "heartbeat", "none"] as const) {
    assert.equal(levelOf(facts(saved(level))), level);
  }
  assert.equal(levelOf({ rules: UNREADABLE, levels: LEVELS }), "none");
});

const entry = (seen: number) =>
  `src=192.0.2.1 ttl: 0 last_seen: 1 oldest_pkt: 1 1\n` +
  `src=${DNS} ttl: 0 last_seen: ${seen} oldest_pkt: 2 1, ${seen}\n`;
const beat = (first: string | null, second: string | null): BeatFacts[] => [
  { list: "nodens", address: DNS, texts: [first, second] },
];

testFindings("heartbeat", [
  { name: "renewed", beats: beat(entry(100), entry(400)), ok: "renewed for 10.96.0.10" },
  {
    name: "old",
    beats: beat(entry(100), entry(100)),
    problem: /is not renewed\nqueries of pods pass by nodens$/,
  },
  { name: "no entry", beats: beat("", ""), problem: /^10\.96\.0\.10 is not in/ },
  { name: "no list", beats: beat(null, null), problem: /no list/ },
], ({ beats }) => judgeHeartbeat(beats, { running: "nodens", asked: true }));

Deno.test("heartbeat: skipped if not required, and checked for IPv6", () => {
  expectFinding(judgeHeartbeat([], { running: "nodens", asked: false }), { skipped: /./ });
  expectFinding(judgeHeartbeat(beat("", ""), { running: "nobody", asked: true }), { skipped: /./ });
  const text = "src=fd00:0010:0096:0000:0000:0000:0000:000a ttl: 0 last_seen: 7 oldest_pkt: 1 7\n";
  assert.equal(lastSeen(text, "fd00:10:96::a"), "7");
  assert.equal(lastSeen(text, "fd00:10:96::b"), null);
});

Deno.test("tryRules: tries rules only if no trace remains", async () => {
  const calls: string[] = [];
  const attempt = (changes: Partial<Parameters<typeof tryRules>[0]>) =>
    tryRules({
      ...{ rules: rules(FOREIGN), set: set("socket"), tables: [] },
      loaded: ["comment", "recent", "socket", "mark"],
      ...changes,
    }, (binary, { args, input }) => {
      calls.push(`${binary} ${args.join(" ")}`);
      assert.match(input!, /^\*raw\n-I PREROUTING .*--nowildcard/);
      return Promise.resolve({ code: 1, stdout: "", stderr: "\nno chain\nmore" });
    });
  assert.deepEqual(await attempt({}), { accepted: false, said: "no chain" });
  assert.deepEqual(calls, ["iptables-nft-restore --noflush -w 5 --test"]);
  assert.equal(await attempt({ loaded: ["comment"] }), null, "a module would be loaded");
  const legacy = rules(FOREIGN);
  assert.ok("backends" in legacy);
  const used = { ...legacy.backends.used, name: "legacy" as const };
  const asLegacy = { family: 4, backends: { ...legacy.backends, used } } as const;
  assert.equal(await attempt({ rules: asLegacy, tables: ["filter"] }), null, "raw would be made");
  assert.notEqual(await attempt({ rules: asLegacy, tables: ["filter", "raw", "nat"] }), null);
  assert.deepEqual(await attempt({ rules: rules(saved("socket")) }), { accepted: true, said: "" });
  assert.equal(await attempt({ rules: UNREADABLE }), null);
});
