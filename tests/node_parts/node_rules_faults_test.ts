/** Every command of the node's rules fails in every way at every moment. */
import assert from "node:assert/strict";
import type { CommandOptions, CommandResult } from "../../src/node/rules/command.ts";
import { FakeIptables } from "../support/doubles/fake_iptables.ts";
import { countOf, fails, type MadeOptions, makeRules } from "./made_rules.ts";

/** Replaces a command; null runs it. */
type Fault = (
  what: "save" | "restore",
  options: CommandOptions,
) => Promise<CommandResult | null> | CommandResult | null;

const LIED: CommandResult = { code: 0, stdout: "", stderr: "" };

/** A command that hangs ends by its signal at stop, before by its limit. */
let stopping = false;
const hangs: Fault = (_what, { signal }) => {
  if (!stopping) return fails("", 124);
  return new Promise((resolve) => {
    const killed = () => resolve(fails("", 124));
    if (signal!.aborted) killed();
    else signal!.addEventListener("abort", killed);
  });
};

const FAULTS: Record<string, Fault> = {
  "EAGAIN": () => fails("line 3: RULE_INSERT failed (Resource temporarily unavailable)"),
  "ENOMEM": () => fails("iptables-restore: Cannot allocate memory"),
  "no words": () => fails("", 1),
  "words that nobody knows": () => fails("iptables-restore: line 5 failed", 1),
  "a signal": () => fails("", 139),
  "it cannot be started": () =>
    fails('Cannot run "iptables-nft-save": Resource temporarily unavailable (os error 11)', 126),
  "it hangs": hangs,
  "the lock is held": () => fails("Another app is currently holding the xtables lock.", 4),
  "it is not allowed": () => fails("Could not fetch rule set generation id: Permission denied"),
  "no such backend any more": () => fails("Failed to initialize nft: Protocol not supported", 1),
  "it does nothing and says nothing": () => LIED,
  "half of the output is missing": (what) =>
    what === "restore" ? null : { ...LIED, stdout: "*raw\n:OUTPUT ACCEPT [0:0]\n" },
};

/** Rules with both kinds of iptables; nft fails on request. */
function make(changes: MadeOptions = {}) {
  let fault: Fault | null = null;
  let which = "save";
  const iptables = new FakeIptables({
    backends: ["nft", "legacy"],
    instead: ({ backend, what }, options) => {
      if (fault === null || what !== which || backend !== "nft") return null;
      const result = fault(what, options);
      return result === null ? null : Promise.resolve(result as CommandResult);
    },
  });
  iptables.add("nft", "nat", "-A PREROUTING -j KUBE-SERVICES");
  stopping = false;
  return {
    iptables,
    ...makeRules(iptables.run, changes),
    become(next: Fault | null, of: "save" | "restore" = "save"): void {
      [fault, which] = [next, of];
    },
  };
}

type Made = ReturnType<typeof make>;

const ours = (iptables: FakeIptables, backend: "nft" | "legacy" = "nft") =>
  iptables.rules(backend).filter((line) => /NodeLocal|nodens/.test(line) || /NODENS/.test(line));

function checkAlways({ iptables, logs }: Made, row: string): void {
  assert.deepEqual(iptables.rules("legacy"), [], `${row}: rules in the other kind`);
  for (const line of logs) {
    assert.doesNotMatch(line, /without fail-open|without "-m socket"/, `${row}: level lowered`);
  }
}

for (const failOpen of [true, false]) {
  const count = failOpen ? 14 : 12;
  for (const step of ["save", "restore"] as const) {
    for (const [name, fault] of Object.entries(FAULTS)) {
      if (step === "restore" && name === "half of the output is missing") continue;
      const row = `${failOpen ? "fail-open" : "plain"}, ${step}: ${name}`;

      Deno.test(`${row}: recovers afterwards, at the start and later`, async () => {
        // At the start this means a kernel without nf_tables, which is not a fault.
        const isAbsence = step === "save" && name === "no such backend any more";
        for (const first of isAbsence ? [false] : [true, false]) {
          const made = make({ failOpen });
          const { iptables, rules, logs, become, check } = made;
          if (!first) {
            await rules.ensure();
            iptables.flush();
            iptables.add("nft", "nat", "-A PREROUTING -j KUBE-SERVICES");
          }
          become(fault, step);
          for (let look = 0; look < 6; look++) {
            const state = await check();
            assert.notEqual(state.problem, null, row);
            checkAlways(made, row);
            assert.ok(ours(iptables).length <= count, `${row}: rules pile up`);
          }
          assert.equal(countOf(logs, /Cannot put the rules/), 1, row);
          become(null);
          const state = await check();
          assert.equal(state.problem, null, row);
          assert.equal(state.level, failOpen ? "socket" : "none", row);
          assert.equal(ours(iptables).length, count, row);
          checkAlways(made, row);
          assert.equal(await rules.remove(), true);
          assert.deepEqual(ours(iptables), []);
        }
      });

      Deno.test(`${row}: at stop, reports remaining rules with the remedy`, async () => {
        const made = make({ failOpen });
        const { iptables, rules, logs, become } = made;
        await rules.ensure();
        assert.equal(ours(iptables).length, count);
        logs.length = 0;
        stopping = true;
        become(fault, step);
        await rules.turnAway(5);
        const gone = await rules.remove(5);
        checkAlways(made, row);
        assert.ok(ours(iptables).length > 0, row);
        assert.ok(logs.every((line) => !line.includes("removed")), `${row}: ${logs.join("\n")}`);
        // Another program may also have flushed the list.
        if (step === "save" && fault === FAULTS["it does nothing and says nothing"]) return;
        assert.equal(gone, false, row);
        assert.match(logs.join("\n"), /^error .*Cannot remove the rules for IPv4: .*; they stay/);
        assert.match(logs.join("\n"), /by hand: iptables-nft-save \| grep .* \| iptables-nft-res/);
      });

      Deno.test(`${row}: at stop, once`, async () => {
        const { iptables, rules, become } = make({ failOpen });
        await rules.ensure();
        let left = 1;
        become((what, options) => {
          if (left-- > 0) return fault(what, options);
          become(null);
          return null;
        }, step);
        const gone = await rules.remove(1000);
        const isLasting = /not allowed/.test(name) ||
          step === "save" && /says nothing/.test(name);
        assert.equal(ours(iptables).length === 0, !isLasting, row);
        if (!isLasting) assert.equal(gone, true, row);
      });
    }
  }
}

Deno.test("NodeRules: an unreadable backend at the start is an error", async () => {
  for (const broken of ["nft", "legacy"] as const) {
    const iptables = new FakeIptables({
      backends: ["nft", "legacy"],
      instead: ({ backend, what }) =>
        backend === broken && what === "save" ? Promise.resolve(fails("", 1)) : null,
    });
    const { check, logs } = make({ run: iptables.run });
    assert.match((await check()).problem!, new RegExp(`iptables-${broken}-save failed`));
    assert.match(logs[0]!, /^error /);
    assert.deepEqual([...iptables.rules("nft"), ...iptables.rules("legacy")], []);
  }
});

Deno.test("NodeRules: a later failure of the other backend keeps the rules", async () => {
  let broken = false;
  const iptables = new FakeIptables({
    backends: ["nft", "legacy"],
    instead: ({ backend }) => broken && backend === "legacy" ? Promise.resolve(fails("")) : null,
  });
  iptables.add("nft", "nat", "-A PREROUTING -j KUBE-SERVICES");
  const { rules, check, logs } = make({ run: iptables.run });
  await rules.ensure();
  broken = true;
  iptables.flush();
  for (let look = 0; look < 2; look++) assert.equal((await check()).problem, null);
  assert.equal(ours(iptables).length, 14);
  assert.equal(countOf(logs, /^warning .*other kind .* cannot be read/), 1);
  assert.equal(await rules.remove(), true);
  assert.deepEqual(ours(iptables), []);
});

Deno.test("NodeRules: a kernel without nf_tables has one backend", async () => {
  const iptables = new FakeIptables({
    backends: ["nft", "legacy"],
    instead: ({ backend }) =>
      backend === "nft"
        ? Promise.resolve(fails("Failed to initialize nft: Protocol not supported"))
        : null,
  });
  const { check } = make({ run: iptables.run });
  assert.equal((await check()).problem, null);
  assert.equal(ours(iptables, "legacy").length, 14);
});

Deno.test("NodeRules: turnAway removes rules regardless of the last check", async () => {
  const { rules, check, iptables, become } = make({ failOpen: false });
  await rules.ensure();
  become(FAULTS["the lock is held"]!);
  assert.notEqual((await check()).problem, null);
  become(null);
  const steering = () => ours(iptables).filter((line) => /raw: .* -d 10\.96\.0\.10/.test(line));
  assert.ok(steering().length > 0);
  await rules.turnAway();
  assert.deepEqual(steering().filter((line) => /--dport 53/.test(line)), []);
  assert.equal(await rules.remove(), true);
});

Deno.test("NodeRules: without iptables, removes nothing", async () => {
  const { run } = new FakeIptables({ backends: [] });
  const counted: string[] = [];
  const { rules, logs } = make({ run, count: (error) => void counted.push(error) });
  await rules.ensure();
  const before = [logs.length, counted.length];
  assert.equal(await rules.remove(), true);
  assert.deepEqual([logs.length, counted.length], before);
});

Deno.test("NodeRules: tries only the rules that a better level adds", async () => {
  const restored: string[] = [];
  const made = new FakeIptables({
    refuse: (input) => {
      restored.push(input);
      return input.includes("-m socket") ? fails("", 1) : null;
    },
  });
  const { check } = make({ run: made.run });
  assert.equal((await check()).level, "heartbeat");
  restored.length = 0;
  assert.equal((await check()).level, "heartbeat");
  assert.ok(restored.length > 0);
  for (const input of restored) assert.match(input, /^\*raw\n/);
  for (const input of restored) assert.doesNotMatch(input, /\*(nat|filter)\n/);
});

Deno.test("NodeRules: lowers a level that the kernel refuses, and raises it later", async () => {
  const rows = [["-m socket", "heartbeat"], ["-m recent", "none"]] as const;
  for (const [match, level] of rows) {
    let refused = true;
    const iptables = new FakeIptables({
      refuse: (input) => refused && input.includes(match) ? fails("", 1) : null,
    });
    const { check, logs, levels } = make({ run: iptables.run });
    for (let look = 0; look < 3; look++) assert.equal((await check()).level, level);
    assert.equal(logs.filter((line) => line.startsWith("warning")).length, 1);
    assert.ok(
      iptables.rules().every((line) => !line.includes("NODENS")),
      "the trial leaves nothing",
    );
    refused = false;
    assert.equal((await check()).level, "socket");
    assert.match(logs.join("\n"), /^info .*has fail-open by heartbeat and socket again$/m);
    assert.deepEqual(levels, [`4 ${level}`, `4 ${level}`, `4 ${level}`, "4 socket"]);
    assert.equal(iptables.rules().length, 14);
  }
});

Deno.test("NodeRules: unwritable lists make the rules plain, until they are writable", async () => {
  let fault: string | null = 'Cannot open "/proc/net/xt_recent/nodens" for writing';
  const { rules, logs, iptables, levels } = make({ listFault: () => fault });
  for (let look = 0; look < 3; look++) await rules.ensure();
  assert.equal(levels.at(-1), "4 none");
  assert.equal(ours(iptables).length, 12);
  assert.ok(iptables.rules().every((rule) => !rule.includes("recent")));
  assert.equal(countOf(logs, /^warning .*without fail-open: .*Cannot open .*nodens/), 1);
  fault = null;
  await rules.ensure();
  assert.equal(levels.at(-1), "4 socket");
  assert.equal(ours(iptables).length, 14);
  assert.equal(await rules.remove(), true);
  assert.deepEqual(ours(iptables), []);
});

Deno.test("NodeRules: a briefly unwritable list changes nothing", async () => {
  let left = 2;
  const listFault = (list: string) => left-- > 0 ? `Cannot open "${list}" for writing` : null;
  const { rules, levels, logs } = make({ listFault });
  for (let look = 0; look < 3; look++) await rules.ensure();
  assert.ok(left < 0);
  assert.deepEqual([...new Set(levels)], ["4 socket"], logs.join("\n"));
});

Deno.test("NodeRules: a failing iptables command selects no backend", async () => {
  const both = new FakeIptables({ backends: ["nft", "legacy"] });
  const { check } = make({
    run: (binary, options) =>
      binary === "iptables-save" ? Promise.resolve(fails("", 1)) : both.run(binary, options),
  });
  assert.match((await check()).problem!, /iptables-save failed/);
  assert.deepEqual([...both.rules("nft"), ...both.rules("legacy")], []);
});

Deno.test("NodeRules: alternating refusals do not lower the level", async () => {
  let calls = 0;
  const iptables = new FakeIptables({ refuse: () => calls++ % 2 === 0 ? fails("", 1) : null });
  const { rules, check, logs } = make({ run: iptables.run });
  for (let look = 0; look < 20; look++) await rules.ensure();
  assert.ok(logs.every((line) => !/without/.test(line)), logs.join("\n"));
  assert.equal((await check()).level, "socket");
});

Deno.test("NodeRules: removes the chain of an interrupted trial", async () => {
  const { rules, iptables } = make();
  iptables.add("nft", "raw", ":NODENS-TRIAL - [0:0]");
  iptables.add("nft", "raw", "-A NODENS-TRIAL -j NOTRACK");
  await rules.ensure();
  assert.ok(iptables.rules().every((line) => !line.includes("NODENS-TRIAL")));
});

Deno.test("NodeRules: stop does not wait for a check that hangs", async () => {
  const { rules, become, iptables } = make();
  stopping = true;
  const started = Promise.withResolvers<void>();
  become((what, options) => {
    started.resolve();
    return hangs(what, options);
  }, "restore");
  const running = rules.ensure();
  await started.promise;
  await rules.stop();
  assert.equal((await running)[0]!.problem, null, "an interrupted check is not a problem");
  assert.deepEqual(ours(iptables), []);
});
