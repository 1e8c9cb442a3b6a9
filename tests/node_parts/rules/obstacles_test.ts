import assert from "node:assert/strict";
import { findObstacles } from "../../../src/node/rules/obstacles.ts";
import { nodeRules } from "../../../src/node/rules/rules.ts";
import { parseSaved } from "../../../src/node/rules/rule_text.ts";
import { ownership } from "../../../src/node/rules/transaction.ts";

const WANTED = nodeRules(4, "none", {
  addresses: ["10.96.0.10"],
  port: 53,
  healthPort: 8080,
  failOpenTo: [],
  tracked: [],
});
const OURS: Record<string, string> = {
  raw: "-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment" +
    ' "NodeLocal DNS Cache: skip conntrack" -j NOTRACK',
  filter: "-A INPUT -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment" +
    ' "NodeLocal DNS Cache: allow DNS traffic" -j ACCEPT',
};

function obstacles(table: "raw" | "filter", above: readonly string[], below: string[] = []) {
  const text = `*${table}\n${[...above, OURS[table], ...below].join("\n")}\nCOMMIT\n`;
  return findObstacles(
    parseSaved(text)!.rules,
    WANTED,
    ownership({ wanted: WANTED, owned: [], comments: [] }),
  );
}

Deno.test("findObstacles: reports a rule above ours that matches the traffic", () => {
  assert.deepEqual(obstacles("raw", ["-A PREROUTING -p udp -m udp --dport 53 -j ACCEPT"]), [
    "a rule above those of nodens takes udp traffic to 10.96.0.10 port 53:" +
    ' "-t raw -A PREROUTING -p udp -m udp --dport 53 -j ACCEPT"; move it below them, or except that' +
    " address from it",
  ]);
});

Deno.test("findObstacles: reports only rules that certainly match", () => {
  const raw: [string, boolean][] = [
    ["-j DROP", true],
    ["-d 10.96.0.0/12 -j ACCEPT", true],
    ["-i eth0 -j CT --zone 3", true],
    ["-s 10.1.0.0/16 -p udp -m multiport --dports 22,50:60 -j DROP", true],
    ["! -d 192.0.2.0/24 -j DROP", true],
    ["-d 10.96.0.11/32 -j DROP", false],
    ["! -d 10.96.0.0/12 -j DROP", false],
    ["-p tcp -j DROP", false],
    ["-p udp -m udp --dport 54 -j DROP", false],
    ["-p udp -m multiport --dports 22,54:60 -j DROP", false],
    ["-i lo -j ACCEPT", false],
    ["-m mark --mark 0x8000/0x8000 -j DROP", false],
    ["-m set --match-set bad src -j DROP", false],
    ["-d fd00::/8 -j DROP", false],
    ["-j LOG --log-prefix x", false],
    ["-j TRACE", false],
  ];
  for (const [rule, told] of raw) {
    assert.equal(obstacles("raw", [`-A PREROUTING ${rule}`]).length > 0, told, rule);
  }
  // In filter, accepting rules do no harm.
  assert.deepEqual(obstacles("filter", ["-A INPUT -j ACCEPT"]), []);
  assert.equal(
    obstacles("filter", ["-A INPUT -p udp -j REJECT --reject-with icmp-port-unreachable"]).length,
    1,
  );
});

Deno.test("findObstacles: ignores rules below ours", () => {
  assert.deepEqual(obstacles("raw", [], ["-A PREROUTING -j DROP"]), []);
});

Deno.test("findObstacles: follows jumps, up to a RETURN for all senders", () => {
  const jump = (...inner: string[]) =>
    obstacles("raw", ["-A PREROUTING -p udp -j outer", ...inner]);
  const [told] = jump("-A outer -j inner", "-A inner -s 10.1.0.0/16 -j DROP");
  assert.match(told!, /"-t raw -A inner -s 10.1.0.0\/16 -j DROP" \(reached from PREROUTING\)/);
  assert.deepEqual(jump("-A outer -d 10.96.0.10/32 -j RETURN", "-A outer -j DROP"), []);
  assert.equal(jump("-A outer -s 10.1.0.0/16 -j RETURN", "-A outer -j DROP").length, 1);
  assert.deepEqual(jump("-A outer -j outer"), [], "a loop ends");
});
