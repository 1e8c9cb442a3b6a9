import assert from "node:assert/strict";
import {
  joinWords,
  parseSaved,
  type Rule,
  ruleKey,
  splitWords,
} from "../../../src/node/rules/rule_text.ts";
import { leftOverRules, nodeRules } from "../../../src/node/rules/rules.ts";
import { planChanges, restoreInput, type RuleSet } from "../../../src/node/rules/transaction.ts";

const OPTIONS = {
  addresses: ["10.96.0.10"],
  port: 53,
  healthPort: 8080,
  failOpenTo: [],
  tracked: [],
};

function set(level: "none" | "socket" | "heartbeat" = "none"): RuleSet {
  return {
    wanted: nodeRules(4, level, OPTIONS),
    owned: leftOverRules(4, OPTIONS),
    comments: [],
  };
}

function printed({ chain, args }: Rule): string {
  const text = joinWords(args)
    .replace(/^-p (\w+) (-[sd]) (\S+) --/, "$2 $3/32 -p $1 -m $1 --")
    .replace(/ (-j \w+) (-m comment --comment ".*")$/, " $2 $1");
  return `-A ${chain} ${text}`;
}

function saved(table: string, ...rules: string[]) {
  return parseSaved(`# Generated\n*${table}\n:INPUT ACCEPT [0:0]\n${rules.join("\n")}\nCOMMIT\n`)!;
}

function savedOf(rules: readonly Rule[]) {
  return Map.groupBy(rules, ({ table }) => table).entries().flatMap(([table, some]) =>
    saved(table, ...some.map(printed)).rules
  ).toArray();
}

Deno.test("planChanges: installs all rules, each table in one transaction", () => {
  const text = restoreInput(planChanges([], set()));
  assert.equal(text.match(/^-I /gm)?.length, 12);
  assert.equal(text.match(/^COMMIT$/gm)?.length, 2);
  assert.match(text, /^\*raw\n-I PREROUTING -p tcp -d 10.96.0.10 --dport 53 -j NOTRACK -m comment/);
});

Deno.test("planChanges: recognises rules in the form of iptables-save", () => {
  assert.deepEqual(planChanges(savedOf(set().wanted), set()), []);
  const rows: [string, string][] = [
    [
      "-p tcp -d 10.96.0.10 --dport 53 -j NOTRACK",
      "-d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j CT --notrack",
    ],
    [
      "-p udp -d fd00::a --dport 53 -j NOTRACK",
      "-d fd00:0::a/128 -p udp -m udp --dport 53 -j NOTRACK",
    ],
    ["-m mark --mark 0x53 -j NOTRACK", "-m mark --mark 0x53/0xffffffff -j CT --notrack"],
    ["-s 10.0.0.1 ! -o lo -j MASQUERADE", "-s 10.0.0.1/32 ! -o lo -j MASQUERADE"],
    [
      "-m recent --rcheck --seconds 2 --name nodens --rdest -j NOTRACK",
      "-m recent --rcheck --seconds 2 --name nodens --mask 255.255.255.255 --rdest -j NOTRACK",
    ],
  ];
  for (const [ours, theirs] of rows) {
    const [left, right] = [ours, theirs].map((text) => ruleKey("raw", "OUTPUT", splitWords(text)));
    assert.equal(left, right);
  }
});

Deno.test("ruleKey: rules with different conditions differ", () => {
  const rows: [string, string][] = [
    ["-p udp ! -s 10.0.0.1 -j DROP", "-p udp -s 10.0.0.1 -j DROP"],
    ["-m mark --mark 0x53 -j NOTRACK", "-m mark --mark 0x54 -j NOTRACK"],
    ["-m socket --nowildcard -j NOTRACK", "-m socket -j NOTRACK"],
    [
      "-m recent --rcheck --name a --mask 0.0.0.0 -j NOTRACK",
      "-m recent --rcheck --name a -j NOTRACK",
    ],
  ];
  for (const [left, right] of rows) {
    assert.notEqual(
      ruleKey("raw", "OUTPUT", splitWords(left)),
      ruleKey("raw", "OUTPUT", splitWords(right)),
    );
  }
});

Deno.test("planChanges: adopts node-cache's rules in plain mode, replaces them with fail-open", () => {
  const present = savedOf(set().wanted);
  assert.deepEqual(planChanges(present, set("none")), []);
  const changes = planChanges(present, set("heartbeat")).map(({ line }) => line);
  assert.equal(changes.filter((line) => line.startsWith("-D ")).length, 4);
  assert.equal(changes.filter((line) => line.startsWith("-I ")).length, 6);
  assert.ok(changes.every((line) => !/-D .*recent/.test(line)));
  // As after a start with -failopen=false.
  const back = planChanges(savedOf(set("heartbeat").wanted), set("none")).map(({ line }) => line);
  assert.equal(back.filter((line) => line.startsWith("-D ")).length, 6);
  assert.equal(back.filter((line) => line.startsWith("-I ")).length, 4);
});

Deno.test("planChanges: replaces rules of an older node-cache without comments", () => {
  const [bare] =
    saved("raw", "-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK").rules;
  const changes = planChanges([bare!], set());
  assert.equal(
    changes[0]!.line,
    "-D PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK",
  );
  assert.equal(changes.length, 13);
});

Deno.test("planChanges: keeps other programs' rules, even similar ones", () => {
  const theirs = saved(
    "raw",
    "-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -m set --match-set x src -j NOTRACK",
    "-A PREROUTING -d 10.96.0.11/32 -p udp -m udp --dport 53 -m comment --comment" +
      ' "NodeLocal DNS Cache: skip conntrack" -j NOTRACK',
    '-A OUTPUT -m comment --comment "says \\"no\\"" -j DROP',
  ).rules;
  assert.ok(planChanges(theirs, set()).every(({ line }) => !line.startsWith("-D ")));
  assert.deepEqual(planChanges(theirs, { wanted: [], owned: set().wanted, comments: [] }), []);
  assert.deepEqual(theirs[2]!.args, ["-m", "comment", "--comment", 'says "no"', "-j", "DROP"]);
});

Deno.test("planChanges: removes a duplicate and inserts the rule once", () => {
  const { wanted } = set();
  const present = savedOf([...wanted, wanted[0]!, wanted[0]!]);
  const changes = planChanges(present, set()).map(({ line }) => line);
  assert.deepEqual(changes.map((line) => line.slice(0, 13)), [
    "-D PREROUTING",
    "-D PREROUTING",
    "-D PREROUTING",
    "-I PREROUTING",
  ]);
});

Deno.test("planChanges: corrects the order of rules in the table nat", () => {
  const nat = (text: string): Rule => ({
    table: "nat",
    chain: "OUTPUT",
    args: splitWords(`${text} -m comment --comment ours`),
    place: "last",
  });
  const first = nat(
    "-p udp -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 192.0.2.1:53",
  );
  const second = nat("-p udp -j DNAT --to-destination 192.0.2.2:53");
  const wanted = { wanted: [first, second], owned: [], comments: ["ours"] };
  const present = (...rules: Rule[]) => saved("nat", ...rules.map(printed)).rules;
  assert.deepEqual(planChanges(present(first, second), wanted), []);
  const changes = planChanges(present(second, first), wanted).map(({ line }) => line.slice(0, 2));
  assert.deepEqual(changes, ["-D", "-D", "-A", "-A"]);
  assert.equal(planChanges(present(second), wanted).length, 3);
});

Deno.test("planChanges: without wanted rules, removes our rules of every mode", () => {
  const present = savedOf([...set().wanted, ...set("socket").wanted.slice(-1)]);
  const changes = planChanges(present, { ...set("none"), wanted: [] });
  assert.equal(changes.length, 13);
  assert.ok(changes.every(({ line }) => line.startsWith("-D ")));
});
