import assert from "node:assert/strict";
import type { CommandResult } from "../../src/node/rules/command.ts";
import { FakeIptables } from "../support/doubles/fake_iptables.ts";
import { countOf, fails, makeRules } from "./made_rules.ts";

Deno.test("NodeRules: installs, keeps, restores and removes rules", async () => {
  const iptables = new FakeIptables();
  const { rules, check, logs, counted, written } = makeRules(iptables.run);
  const state = await check();
  const good = { family: 4, level: "socket", problem: null, mayPass: false };
  assert.deepEqual(state, { ...good, changes: 14 });
  assert.deepEqual(written, ["nodens +10.96.0.10"]);
  assert.equal((await check()).changes, 0);
  assert.equal(iptables.restored.length, 1, "one transaction, and none without changes");
  iptables.flush();
  assert.equal((await check()).changes, 14);
  assert.equal(iptables.rules().length, 14);
  iptables.add("nft", "raw", "-A OUTPUT -j TRACE");
  assert.equal(await rules.remove(), true);
  assert.deepEqual(iptables.rules(), ["raw: -A OUTPUT -j TRACE"]);
  assert.equal(written.at(-1), "nodens -10.96.0.10");
  assert.deepEqual(await rules.ensure(), [], "nothing is installed again");
  assert.deepEqual(counted, []);
  assert.ok(logs.every((line) => line.startsWith("info ")), logs.join("\n"));
});

Deno.test("NodeRules: turnAway removes rules for queries, and keeps those for answers", async () => {
  const plain = new FakeIptables();
  const { rules } = makeRules(plain.run, { failOpen: false });
  await rules.ensure();
  assert.equal(plain.rules().length, 12);
  await rules.turnAway();
  assert.equal(plain.rules().length, 8);
  for (const line of plain.rules()) assert.doesNotMatch(line, /^raw: .*-d .*--dport 53 /);
  assert.equal(plain.rules().filter((line) => /--sport 53 .*NOTRACK/.test(line)).length, 2);
  assert.deepEqual(await rules.ensure(), [], "nothing is installed again");
  assert.equal(await rules.remove(), true);
  assert.deepEqual(plain.rules(), []);

  // With fail-open, removing the entry is enough.
  const open = new FakeIptables();
  const { rules: failOpen, written } = makeRules(open.run);
  await failOpen.ensure();
  await failOpen.turnAway();
  assert.equal(open.restored.length, 1);
  assert.equal(written.at(-1), "nodens -10.96.0.10");
  await failOpen.remove();
});

Deno.test("NodeRules: concurrent calls of ensure share one check", async () => {
  const iptables = new FakeIptables();
  const { rules } = makeRules(iptables.run);
  const [first, second] = await Promise.all([rules.ensure(), rules.ensure()]);
  assert.equal(first, second);
  assert.equal(iptables.restored.length, 1);
  await rules.stop();
  assert.equal(iptables.rules().length, 14, "stopping alone leaves the rules");
});

Deno.test("NodeRules: uses the best level that the kernel allows, with one warning", async () => {
  const rows: [string, "heartbeat" | "none", RegExp][] = [
    ["-m socket", "heartbeat", /without "-m socket": .*within two seconds/],
    ["-m recent", "none", /without fail-open: .*the rules are as node-cache's/],
  ];
  for (const [lacking, level, warning] of rows) {
    const iptables = new FakeIptables({
      refuse: (input) => input.includes(lacking) ? fails("RULE_INSERT failed") : null,
    });
    const { rules, check, logs, counted } = makeRules(iptables.run);
    assert.equal((await check()).level, level);
    assert.equal((await check()).changes, 0);
    const warnings = logs.filter((line) => line.startsWith("warning "));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, warning);
    assert.deepEqual(counted, []);
    await rules.remove();
    assert.deepEqual(iptables.rules(), []);
  }
});

Deno.test("NodeRules: retries the best level if the kernel refuses all rules", async () => {
  let broken = true;
  const iptables = new FakeIptables({ refuse: () => broken ? fails("no such table") : null });
  const { check, logs, counted } = makeRules(iptables.run);
  for (let i = 0; i < 2; i++) assert.match((await check()).problem!, /no such table/);
  assert.deepEqual(counted, ["iptables", "iptables"]);
  assert.equal(logs.length, 1, "an unchanged problem is logged once");
  broken = false;
  assert.deepEqual((await check()).level, "socket");
});

Deno.test("NodeRules: reports after each check whether the rules of a family are in place", async () => {
  let broken = true;
  const states: string[] = [];
  const iptables = new FakeIptables({ refuse: () => broken ? fails("no such table") : null });
  const { check, rules } = makeRules(iptables.run, {
    onRules: ({ family, problem }) => states.push(`${family} ${problem ?? "in place"}`),
  });
  await check();
  assert.match(states[0]!, /^4 .*no such table/);
  broken = false;
  await check();
  await check();
  assert.deepEqual(states.slice(1), ["4 in place", "4 in place"]);
  await rules.stop();
  await rules.ensure();
  assert.equal(states.length, 3, "nothing is checked after the stop");
});

Deno.test("NodeRules: counts a lock held by another program, and retries soon", async () => {
  let held = true;
  const iptables = new FakeIptables({
    refuse: () =>
      held ? fails("Another app is currently holding the xtables lock. Stopped waiting.", 4) : null,
  });
  const { check, clock, counted, logs } = makeRules(iptables.run);
  assert.match((await check()).problem!, /holds the xtables lock, which ip.*fuser -v/);
  assert.equal(counted[0], "iptables_lock");
  assert.match(logs[0]!, /^warning /);
  held = false;
  await clock.advance(5000);
  assert.equal(iptables.rules().length, 14);
});

Deno.test("NodeRules: reports failures with their remedy", async () => {
  const denied = "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id:" +
    " Permission denied (you must be root)";
  const locked = "Fatal: can't open lock file /run/xtables.lock: Read-only file system";
  const rows: [(binary: string) => CommandResult | null, RegExp][] = [
    [() => null, /there is no iptables-save: install iptables/],
    [() => fails(denied, 4), /needs the capability NET_ADMIN/],
    [
      (binary) => binary.endsWith("save") ? { ...fails(""), code: 0 } : fails(locked),
      /mount \/run\/xtables.lock of the host/,
    ],
    [() => fails("", 124), /took too long/],
  ];
  for (const [result, message] of rows) {
    const { check, logs, counted } = makeRules((binary) => Promise.resolve(result(binary)));
    const state = await check();
    assert.match(state.problem!, message);
    assert.match(logs[0]!, message);
    assert.deepEqual(counted, ["iptables"]);
  }
});

Deno.test("NodeRules: uses kubelet's backend, and removes leftovers from the other", async () => {
  const iptables = new FakeIptables({ backends: ["nft", "legacy"] });
  iptables.add("nft", "raw", "-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK");
  iptables.add("nft", "filter", "-A INPUT -s 192.0.2.1/32 -j DROP");
  iptables.add("legacy", "mangle", ":KUBE-KUBELET-CANARY - [0:0]");
  const { rules, logs } = makeRules(iptables.run);
  await rules.ensure();
  assert.equal(iptables.rules("legacy").filter((rule) => rule.includes("10.96.0.10")).length, 14);
  assert.deepEqual(iptables.rules("nft"), ["filter: -A INPUT -s 192.0.2.1/32 -j DROP"]);
  assert.equal(countOf(logs, /^warning .*mixed: 0 in legacy and 1 in nft/), 1);
});

Deno.test("NodeRules: reports repeated removal by another program, without a loop", async () => {
  const iptables: FakeIptables = new FakeIptables({ afterRestore: () => iptables.flush() });
  const { check, counted } = makeRules(iptables.run);
  assert.match((await check()).problem!, /somebody else removes or repeats "-I /);
  assert.deepEqual(counted, ["iptables"]);
});

Deno.test("NodeRules: reports a foreign rule above ours, once", async () => {
  const iptables = new FakeIptables();
  const { rules, logs } = makeRules(iptables.run, { failOpen: false });
  await rules.ensure();
  const ours = iptables.rules().filter((rule) => rule.startsWith("raw: -A PREROUTING"));
  iptables.flush();
  iptables.add("nft", "raw", "-A PREROUTING -d 10.96.0.10/32 -p udp -j ACCEPT");
  for (const rule of ours) iptables.add("nft", "raw", rule.replace("raw: ", ""));
  logs.length = 0;
  await rules.ensure();
  await rules.ensure();
  const told = logs.filter((line) => line.startsWith("warning "));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /takes udp traffic to 10.96.0.10 port 53: "-t raw -A PREROUTING -d 10/);
});
