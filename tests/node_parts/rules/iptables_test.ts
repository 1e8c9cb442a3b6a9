import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import type { RunCommand } from "../../../src/node/rules/command.ts";
import { Heartbeat } from "../../../src/node/heartbeat.ts";
import { NodeRules, type NodeRulesOptions } from "../../../src/node/node_rules.ts";
import { nodeRules, type RuleOptions } from "../../../src/node/rules/rules.ts";
import { REDIRECT } from "../../../src/cli/redirect/command.ts";
import { run as runRedirect } from "../../../src/cli/redirect/redirect.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import { RuleTrial } from "../../../src/node/rules/rule_trial.ts";
import { splitWords } from "../../../src/node/rules/rule_text.ts";
import { namespaceReasons, NetNamespace } from "../../support/namespaces/rules_namespace.ts";
import { skipFor } from "../../support/run/require.ts";

const BACKENDS = ["nft", "legacy"] as const;
const FAMILIES = [4, 6] as const;

const OPTIONS: RuleOptions = {
  addresses: ["169.254.20.10", "10.96.0.10", "fd00::a"],
  port: 53,
  healthPort: 8080,
  failOpenTo: [{ address: "192.0.2.7", port: 53 }, { address: "2001:db8::7", port: 53 }],
  tracked: [],
};

function keep(run: RunCommand, changes: Partial<NodeRulesOptions> = {}) {
  const logs: string[] = [];
  const counted: string[] = [];
  const rules = new NodeRules({
    ...{ rules: OPTIONS, failOpen: true, redirect: null, run },
    heartbeat: new Heartbeat({ keepEntries: () => Promise.resolve({}) }),
    log: (level, line) => logs.push(`${level} ${line}`),
    count: (type) => counted.push(type),
    ...changes,
  });
  return { rules, logs, counted };
}

function inNamespace(name: string, use: (namespace: NetNamespace) => Promise<void>): void {
  Deno.test({
    name,
    ...skipFor(namespaceReasons()),
    async fn() {
      const namespace = new NetNamespace();
      try {
        await use(namespace);
      } finally {
        namespace.remove();
      }
    },
  });
}

/** Inserts the rules as node-cache does: one command each. */
async function asNodeCache(namespace: NetNamespace, backend: string): Promise<void> {
  for (const family of FAMILIES) {
    const lines = nodeRules(family, "none", OPTIONS).map(({ table, chain, args }) =>
      [`iptables -w 5 -t ${table} -I ${chain}`, ...args.map((arg) => `'${arg}'`)].join(" ")
    ).map((line) => line.replace("iptables", `${family === 4 ? "ip" : "ip6"}tables-${backend}`));
    await namespace.exec("sh", "-e", "-c", lines.join("\n"));
  }
}

for (const backend of BACKENDS) {
  inNamespace(
    `${backend}: plain rules equal node-cache's, which are adopted`,
    async (namespace) => {
      await asNodeCache(namespace, backend);
      const theirs = await Promise.all(
        FAMILIES.map((family) => namespace.rules(backend, family)),
      );
      assert.deepEqual(theirs.map((rules) => rules.length), [24, 12]);
      const { rules } = keep(namespace.runner([backend]), { failOpen: false });
      const states = await rules.ensure();
      assert.deepEqual(states.map(({ changes, problem }) => [changes, problem]), [
        [0, null],
        [0, null],
      ]);
      await namespace.exec(`iptables-${backend}`, "-w", "5", "-t", "raw", "-F");
      await namespace.exec(`ip6tables-${backend}`, "-w", "5", "-F");
      await rules.ensure();
      const ours = await Promise.all(FAMILIES.map((family) => namespace.rules(backend, family)));
      assert.deepEqual(ours, theirs);
      assert.equal(await rules.remove(6000), true);
      for (const family of FAMILIES) assert.deepEqual(await namespace.rules(backend, family), []);
    },
  );

  inNamespace(
    `${backend}: fail-open replaces node-cache's rules, and is removed completely`,
    async (namespace) => {
      await asNodeCache(namespace, backend);
      const stranger = "-A INPUT -s 192.0.2.99/32 -j DROP";
      await namespace.restore(`iptables-${backend}-restore`, `*filter\n${stranger}\nCOMMIT\n`);
      const { rules, logs, counted } = keep(namespace.runner([backend]));
      const states = await rules.ensure();
      assert.deepEqual(states.map(({ level, problem }) => [level, problem]), [
        ["socket", null],
        ["socket", null],
      ]);
      const four = await namespace.rules(backend);
      assert.equal(four.filter((rule) => rule.includes("--name nodens ")).length, 8);
      assert.equal(four.filter((rule) => rule.includes("skip conntrack")).length, 16);
      assert.equal(four.filter((rule) => rule.includes("192.0.2.7:53")).length, 8);
      const six = await namespace.rules(backend, 6);
      assert.equal(six.filter((rule) => rule.includes("--name nodens6 ")).length, 4);
      assert.deepEqual((await rules.ensure()).map(({ changes }) => changes), [0, 0]);
      await rules.stop();

      // As after kill -9 and a start in another mode.
      const plain = keep(namespace.runner([backend]), { failOpen: false });
      await plain.rules.ensure();
      const after = await namespace.rules(backend);
      assert.equal(after.length, 25);
      assert.ok(after.every((rule) => !rule.includes("nodens")));
      assert.equal(await plain.rules.remove(6000), true);
      assert.deepEqual(await namespace.rules(backend), [`filter: ${stranger}`]);
      assert.deepEqual(await namespace.rules(backend, 6), []);
      assert.deepEqual(counted, []);
      assert.ok(logs.every((line) => line.startsWith("info ")), logs.join("\n"));
    },
  );

  inNamespace(
    `${backend}: removes duplicates, and reports a foreign rule above`,
    async (namespace) => {
      await asNodeCache(namespace, backend);
      await asNodeCache(namespace, backend);
      const above = "PREROUTING -d 10.96.0.0/12 -p udp -m udp --dport 53 -j ACCEPT";
      const { rules, logs } = keep(namespace.runner([backend]), { failOpen: false });
      await rules.ensure();
      assert.equal((await namespace.rules(backend)).length, 24);
      assert.equal((await namespace.rules(backend, 6)).length, 12);
      logs.length = 0;
      await namespace.restore(`iptables-${backend}-restore`, `*raw\n-I ${above}\nCOMMIT\n`);
      await rules.ensure();
      assert.deepEqual(logs, [
        "warning iptables: a rule above those of nodens takes udp traffic to 10.96.0.10 port" +
        ` 53: "-t raw -A ${above}"; move it below them, or except that address from it`,
      ]);
      await rules.remove(6000);
      assert.deepEqual(await namespace.rules(backend), [`raw: -A ${above}`]);
    },
  );

  inNamespace(`${backend}: without NET_ADMIN, the message names it`, async (namespace) => {
    const drop = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
    const { rules, counted } = keep(namespace.runner([backend], drop));
    const states = await rules.ensure();
    for (const { problem } of states) assert.match(problem!, /NET_ADMIN|must be root/);
    assert.deepEqual(counted, ["iptables", "iptables"]);
    await rules.stop();
  });

  inNamespace(
    `${backend}: a redirect makes the changes that its dry run prints, and is removed completely`,
    async (namespace) => {
      const run = namespace.runner([backend]);
      const call = (...args: string[]) =>
        callCommand(REDIRECT, args, (args, output) => runRedirect(args, output, run));
      const flags = ["-to", "169.254.20.10,fd00::a", "-except", "192.0.2.1", "-except-uid", "7"];
      const dry = await call("install", "-n", ...flags);
      assert.equal(dry.code, 0);
      assert.deepEqual(await namespace.rules(backend), []);
      await namespace.exec("sh", "-e", "-c", dry.out);
      const byHand = [await namespace.rules(backend), await namespace.rules(backend, 6)];
      assert.deepEqual(byHand.map((rules) => rules.length), [10, 6]);
      const again = await call("install", ...flags);
      assert.match(again.err, /^IPv4: nothing to do\nIPv6: nothing to do\n$/);
      assert.equal((await call("status", ...flags)).code, 0);

      const dryRemove = await call("remove", "-n");
      await namespace.exec("sh", "-e", "-c", dryRemove.out);
      for (const family of FAMILIES) assert.deepEqual(await namespace.rules(backend, family), []);
      assert.equal((await call("status", ...flags)).code, 1);

      assert.equal((await call("install", ...flags)).code, 0);
      assert.deepEqual(
        [await namespace.rules(backend), await namespace.rules(backend, 6)],
        byHand,
      );
      assert.equal((await call("install", "-only", "192.0.2.53", "-failopen=false")).code, 0);
      assert.equal((await namespace.rules(backend)).length, 6);
      assert.deepEqual(await namespace.rules(backend, 6), []);
      assert.equal((await call("remove")).code, 0);
      assert.deepEqual(await namespace.rules(backend), []);
    },
  );

  inNamespace(
    `${backend}: a trial finds features that the kernel lacks, and leaves no rules`,
    async (namespace) => {
      for (const family of FAMILIES) {
        const { signal } = new AbortController();
        const run = namespace.runner([backend]);
        await using trial = new RuleTrial({ family, backend, run, signal, clock: systemClock });
        const best = nodeRules(family, "socket", OPTIONS);
        const plain = nodeRules(family, "none", OPTIONS);
        assert.equal(await trial.put(best), null);
        assert.equal(await trial.isRefused(best, plain), false);
        // The kernel does not translate addresses in the table raw.
        const to = ["--to-destination", family === 4 ? "192.0.2.1" : "2001:db8::1"];
        const unknown = { ...plain[0]!, args: ["-p", "udp", "-j", "DNAT", ...to] };
        const fault = await trial.put([unknown]);
        assert.equal(fault?.fault, "other");
        assert.equal(await trial.isRefused([...best, unknown], plain), true);
        assert.equal(await trial.isRefused([...best, unknown], [unknown]), false);
        await trial[Symbol.asyncDispose]();
        assert.deepEqual(await namespace.rules(backend, family), []);
        const saved = await namespace.exec(`ip${family === 4 ? "" : "6"}tables-${backend}-save`);
        assert.doesNotMatch(saved, /NODENS/);
      }
    },
  );
}

inNamespace(
  "legacy: a lock held by another program is counted, and acquired later",
  async (namespace) => {
    const lock = `${namespace.runDirectory}/xtables.lock`;
    const holder = new Deno.Command("flock", {
      args: [lock, "sh", "-c", "echo held; read line"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    try {
      await reader.read();
      // Instead of five, to finish sooner.
      const run = namespace.runner(["legacy"]);
      const impatient: RunCommand = (binary, options) =>
        run(binary, { ...options, args: options.args.map((arg) => arg === "5" ? "1" : arg) });
      const { rules, counted, logs } = keep(impatient, {
        rules: { ...OPTIONS, addresses: ["10.96.0.10"] },
      });
      assert.match((await rules.ensure())[0]!.problem!, /another program holds the xtables lock/);
      assert.deepEqual(counted, ["iptables_lock"]);
      assert.match(logs[0]!, /^warning /);
      await holder.stdin.close();
      await holder.status;
      assert.equal((await rules.ensure())[0]!.problem, null);
      await rules.remove(6000);
      assert.deepEqual(await namespace.rules("legacy"), []);
    } finally {
      reader.releaseLock();
      await holder.stdout.cancel();
      await holder.status;
    }
  },
);

inNamespace(
  "with both backends in use, uses kubelet's and reports the mixture",
  async (namespace) => {
    await asNodeCache(namespace, "nft");
    const canary = "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n";
    await namespace.restore("iptables-legacy-restore", canary);
    const { rules, logs } = keep(namespace.runner(["nft", "legacy"]), { failOpen: false });
    await rules.ensure();
    assert.deepEqual(await namespace.rules("nft"), []);
    assert.equal((await namespace.rules("legacy")).length, 24);
    assert.ok(logs.every((line) => line.startsWith("info ")), logs.join("\n"));
    await namespace.restore("iptables-nft-restore", "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n");
    await rules.ensure();
    assert.match(logs.at(-1)!, /^warning iptables: iptables rules are mixed: 0 in legacy and 1/);
    await rules.remove(6000);
    assert.deepEqual(await namespace.rules("legacy"), []);
    assert.deepEqual(await namespace.rules("nft"), ["filter: -A INPUT -j ACCEPT"]);
  },
);

Deno.test("splitWords: an IPv6 address is one word", () => {
  assert.deepEqual(splitWords("-d fd00::a/128 -j DNAT --to-destination [fd00::9]:53"), [
    ...["-d", "fd00::a/128", "-j", "DNAT", "--to-destination", "[fd00::9]:53"],
  ]);
});
