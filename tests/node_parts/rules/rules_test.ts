import assert from "node:assert/strict";
import { joinWords } from "../../../src/node/rules/rule_text.ts";
import {
  failOpenAddresses,
  leftOverRules,
  nodeRules,
  type RuleOptions,
} from "../../../src/node/rules/rules.ts";

const SKIP = '-m comment --comment "NodeLocal DNS Cache: skip conntrack"';
const ALLOW = '-m comment --comment "NodeLocal DNS Cache: allow DNS traffic"';

function options(changes: Partial<RuleOptions> = {}): RuleOptions {
  return {
    addresses: ["169.254.20.10", "10.96.0.10", "fd00::a"],
    port: 53,
    healthPort: 8080,
    failOpenTo: [],
    tracked: [],
    ...changes,
  };
}

function lines(rules: ReturnType<typeof nodeRules>): string[] {
  return rules.map(({ table, chain, args }) => `${table} ${chain} ${joinWords(args)}`);
}

Deno.test("nodeRules: plain rules equal node-cache's, in the same order", () => {
  assert.deepEqual(lines(nodeRules(4, "none", options({ addresses: ["10.96.0.10"] }))), [
    `raw PREROUTING -p tcp -d 10.96.0.10 --dport 53 -j NOTRACK ${SKIP}`,
    `raw PREROUTING -p udp -d 10.96.0.10 --dport 53 -j NOTRACK ${SKIP}`,
    `filter INPUT -p tcp -d 10.96.0.10 --dport 53 -j ACCEPT ${ALLOW}`,
    `filter INPUT -p udp -d 10.96.0.10 --dport 53 -j ACCEPT ${ALLOW}`,
    `raw OUTPUT -p tcp -s 10.96.0.10 --sport 53 -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p udp -s 10.96.0.10 --sport 53 -j NOTRACK ${SKIP}`,
    `filter OUTPUT -p tcp -s 10.96.0.10 --sport 53 -j ACCEPT ${ALLOW}`,
    `filter OUTPUT -p udp -s 10.96.0.10 --sport 53 -j ACCEPT ${ALLOW}`,
    `raw OUTPUT -p tcp -d 10.96.0.10 --dport 53 -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p udp -d 10.96.0.10 --dport 53 -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p tcp -d 10.96.0.10 --dport 8080 -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p tcp -s 10.96.0.10 --sport 8080 -j NOTRACK ${SKIP}`,
  ]);
});

Deno.test("nodeRules: each family has the rules of its addresses, without duplicates", () => {
  const twice = options({ addresses: ["fd00::a", "169.254.20.10", "FD00:0::a"], port: 5353 });
  const rules = lines(nodeRules(6, "none", twice));
  assert.equal(rules.length, 12);
  assert.ok(rules.every((rule) => rule.includes(" fd00::a ") && !rule.includes("169.254")));
  assert.match(rules[0]!, /--dport 5353 /);
  assert.equal(nodeRules(4, "none", twice).length, 12);
});

Deno.test("nodeRules: with fail-open, queries require a heartbeat, replies do not", () => {
  const recent = "-m recent --rcheck --seconds 2 --name nodens --mask 255.255.255.255 --rdest";
  const rules = lines(nodeRules(4, "socket", options({ addresses: ["10.96.0.10"] })));
  assert.deepEqual(rules.filter((rule) => rule.includes("recent")), [
    `raw PREROUTING -p tcp -d 10.96.0.10 --dport 53 ${recent} -m socket --nowildcard -j NOTRACK ${SKIP}`,
    `raw PREROUTING -p udp -d 10.96.0.10 --dport 53 ${recent} -m socket --nowildcard -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p tcp -d 10.96.0.10 --dport 53 ${recent} -j NOTRACK ${SKIP}`,
    `raw OUTPUT -p udp -d 10.96.0.10 --dport 53 ${recent} -j NOTRACK ${SKIP}`,
  ]);
  assert.deepEqual(rules.slice(12), [
    'raw OUTPUT -p udp -d 10.96.0.10 --dport 53 -m mark --mark 0x53 -j NOTRACK -m comment --comment "nodens: probe"',
    'nat POSTROUTING -s 10.96.0.10 ! -o lo -j MASQUERADE -m comment --comment "nodens: fail-open"',
  ]);
  const without = lines(nodeRules(4, "heartbeat", options({ addresses: ["10.96.0.10"] })));
  assert.deepEqual(without, rules.map((rule) => rule.replace("-m socket --nowildcard ", "")));
});

Deno.test("nodeRules: IPv6 has a separate list, because a list has only one mask", () => {
  const rules = lines(nodeRules(6, "heartbeat", options()));
  const mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  assert.match(rules[0]!, new RegExp(`--name nodens6 --mask ${mask} --rdest`));
});

Deno.test("failOpenAddresses: include link-local addresses only with -failopen-to", () => {
  const instead = [{ address: "192.0.2.7", port: 53 }];
  for (
    const [given, expected] of [
      [options(), ["10.96.0.10"]],
      [options({ failOpenTo: instead }), ["169.254.20.10", "10.96.0.10"]],
      [options({ failOpenTo: [{ address: "2001:db8::7", port: 53 }] }), ["10.96.0.10"]],
      [options({ tracked: ["10.96.0.10"] }), []],
    ] as const
  ) assert.deepEqual(failOpenAddresses(4, given), expected);
  assert.deepEqual(failOpenAddresses(6, options({ addresses: ["fe80::1", "fd00::a"] })), [
    "fd00::a",
  ]);
});

Deno.test("nodeRules: -failopen-to shares queries among servers, below kube-proxy's rules", () => {
  const failOpenTo = ["192.0.2.7", "192.0.2.8", "192.0.2.9"].map((address) => ({
    address,
    port: 5300,
  }));
  const rules = nodeRules(4, "heartbeat", options({ addresses: ["169.254.20.10"], failOpenTo }));
  const nat = rules.filter(({ chain, table }) => table === "nat" && chain === "OUTPUT");
  const text = '-m comment --comment "nodens: fail-open"';
  assert.deepEqual(lines(nat).filter((line) => line.includes("udp")), [
    `nat OUTPUT -p udp -d 169.254.20.10 --dport 53 -m statistic --mode nth --every 3 --packet 0 -j DNAT --to-destination 192.0.2.7:5300 ${text}`,
    `nat OUTPUT -p udp -d 169.254.20.10 --dport 53 -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 192.0.2.8:5300 ${text}`,
    `nat OUTPUT -p udp -d 169.254.20.10 --dport 53 -j DNAT --to-destination 192.0.2.9:5300 ${text}`,
  ]);
  assert.ok(nat.every(({ place }) => place === "last"));
});

Deno.test("nodeRules: the target of a redirect keeps connection tracking", () => {
  const rules = nodeRules(4, "socket", options({ tracked: ["169.254.20.10"] }));
  const own = lines(rules).filter((line) => line.includes("169.254.20.10"));
  assert.equal(own.length, 4);
  assert.ok(own.every((line) => line.startsWith("filter ")));
});

Deno.test("leftOverRules: covers every mode, and node-cache's rules without comments", () => {
  const left = lines(leftOverRules(4, options({ addresses: ["10.96.0.10"] })));
  assert.ok(left.includes("raw PREROUTING -p tcp -d 10.96.0.10 --dport 53 -j NOTRACK"));
  assert.ok(left.some((line) => line.includes("DNAT")));
  assert.ok(left.some((line) => line.includes("MASQUERADE")));
});
