/** Service, leftovers and log if iptables, the kernel or other programs misbehave. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import {
  engaged,
  hostState,
  inNode,
  LINK_LOCAL,
  metric,
  ownRules,
  served,
  startNodeCache,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import {
  KUBE_DNS,
  NodeRig,
  type RigNodens,
  rigReasons,
  rigTest,
} from "../support/namespaces/node_rig.ts";
import {
  type Misbehaviour,
  type WrappedCommand,
  WrappedIptables,
} from "../support/doubles/wrapped_iptables.ts";

const PROGRAMS = ["dig", "curl", "iptables-nft-save", "iptables-legacy-save"];
const FILL = new URL("./fill_conntrack.ts", import.meta.url).pathname;
/** Ten seconds are promised; a loaded machine may need more. */
const STOP_LIMIT_MS = 20_000;
const LEVEL = 'nodens_failopen_level{family="4"}';

async function terminate(nodens: RigNodens): Promise<void> {
  Deno.kill(nodens.pid, "SIGTERM");
  const timer = setTimeout(() => Deno.kill(nodens.pid, "SIGKILL"), STOP_LIMIT_MS);
  const { code } = await nodens.ended;
  clearTimeout(timer);
  assert.equal(code, 0, nodens.output);
}

async function inRig(
  use: (rig: NodeRig, iptables: WrappedIptables) => Promise<void>,
): Promise<void> {
  await using rig = await NodeRig.create();
  const iptables = new WrappedIptables();
  try {
    await use(rig, iptables);
  } finally {
    iptables.remove();
  }
}

const ROWS: { command: WrappedCommand; what: Misbehaviour; stays: boolean; says: RegExp | null }[] =
  [
    {
      command: "iptables-nft-save",
      what: "hangs",
      stays: true,
      says:
        /Cannot remove .*iptables-nft-save took too long and was killed.*; they stay, and without a/,
    },
    {
      command: "iptables-nft-restore",
      what: "hangs",
      stays: true,
      says: /Cannot remove .*iptables-nft-restore took too long and was killed.*they stay/,
    },
    { command: "iptables-nft-restore", what: "leaves a child", stays: false, says: null },
    {
      command: "iptables-nft-save",
      what: "fails",
      stays: true,
      says: /Cannot put the rules for IPv4 in order: iptables-nft-save failed \(4\)/,
    },
  ];

/** Stops nodens during a check that fails. */
async function checkRow({ command, what, stays, says }: typeof ROWS[number]): Promise<void> {
  await inRig(async (rig, iptables) => {
    const before = await hostState(rig);
    const env = { PATH: iptables.path };
    const nodens = await startNodeCache(rig, { env, more: ["-syncinterval", "1"] });
    await engaged(nodens);
    const during = ownRules(await hostState(rig));
    iptables.become(command, what);
    await inNode(rig, "iptables-nft", "-w", "5", "-t", "raw", "-F");
    if (what === "fails") await until(() => /nft-save failed/.test(nodens.output));
    const pod = rig.nodes[0]!.pods[0]!.namespace;
    assert.notEqual(await whoAnswers(rig, pod, KUBE_DNS.v4), "nobody");
    await terminate(nodens);
    const after = ownRules(await hostState(rig));
    assert.equal(after.length > 0, stays, nodens.output);
    assert.ok(after.every((rule) => rule.includes(" nft ")), "never in both");
    if (says !== null) assert.match(nodens.output, says);
    assert.equal(/rules for IPv4 removed/.test(nodens.output), !stays, nodens.output);
    await served(rig, "cluster");

    iptables.become(command, null);
    const next = await startNodeCache(rig, { env });
    await engaged(next);
    assert.deepEqual(ownRules(await hostState(rig)).toSorted(), during.toSorted());
    await terminate(next);
    assert.deepEqual(await hostState(rig), before);
  });
}

/** In parallel, because most stops take the full time. */
for (const rows of [ROWS.slice(0, 2), ROWS.slice(2)]) {
  Deno.test({
    name: `${rows.map(({ command, what }) => `${command} ${what}`).join(", ")}: pods are served,` +
      " nodens stops and reports remaining rules",
    ...skipFor(rigReasons({ programs: PROGRAMS })),
    fn: async () => void await Promise.all(rows.map(checkRow)),
  });
}

Deno.test({
  name: "without -m recent, rules are plain until the kernel supports it",
  ...skipFor(rigReasons({ programs: PROGRAMS })),
  fn: () =>
    inRig(async (rig, iptables) => {
      iptables.become("iptables-nft-restore", "lacks recent");
      const nodens = await startNodeCache(rig, {
        env: { PATH: iptables.path },
        more: ["-syncinterval", "1"],
      });
      const told =
        /\[WARNING\] iptables: IPv4 without fail-open: .*Extension recent .*missing kernel/;
      await until(() => told.test(nodens.output), nodens.output);
      await served(rig, "cache");
      assert.equal(await metric(rig, LEVEL), 0);
      iptables.become("iptables-nft-restore", null);
      await until(() => /IPv4 has fail-open by heartbeat and socket again/.test(nodens.output));
      await engaged(nodens);
      await served(rig, "cache");
      assert.ok(ownRules(await hostState(rig)).some((rule) => rule.includes("--name nodens ")));
      Deno.kill(nodens.pid, "SIGKILL");
      await nodens.ended;
      await served(rig, "cluster");
    }),
});

rigTest("with unwritable lists of -m recent, rules are plain and queries of pods are answered", {
  needs: [...PROGRAMS, "setpriv"],
}, async (rig) => {
  // Only root may write to the lists; the user may read everything.
  const caps = "+net_admin,+net_bind_service,+net_raw,+dac_read_search";
  const user = ["--reuid", "65532", "--clear-groups", "--inh-caps", caps, "--ambient-caps", caps];
  const by = ["setpriv", ...user];
  const nodens = await startNodeCache(rig, { by, more: ["-syncinterval", "1"] });
  const told = /\[WARNING\] iptables: IPv4 without fail-open: .*xt_recent\/nodens/;
  await until(() => told.test(nodens.output), nodens.output);
  await served(rig, "cache");
  await terminate(nodens);
  assert.deepEqual(ownRules(await hostState(rig)), []);
  await served(rig, "cluster");
});

rigTest("legacy: with a lock held forever, the stop ends and reports remaining rules", {
  backend: "legacy",
  needs: [...PROGRAMS, "flock"],
}, async (rig) => {
  const before = await hostState(rig);
  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  const hold = 'exec 9>"$XTABLES_LOCKFILE" && flock 9 && echo held && exec sleep 1000';
  const holder = await rig.startIn(rig.nodes[0]!.namespace, "sh", ["-c", hold], {
    ready: (output) => output.includes("held"),
  });
  await served(rig, "cache");
  await terminate(nodens);
  assert.match(
    nodens.output,
    /\[ERROR\] .*Cannot remove .*another program holds the xtables lock.*fuser.*they stay, and without a/,
  );
  assert.ok(ownRules(await hostState(rig)).length > 0);
  await served(rig, "cluster");
  await holder.stop();
  const next = await startNodeCache(rig);
  await engaged(next);
  await terminate(next);
  assert.deepEqual(await hostState(rig), before);
});

rigTest("with a full connection table, nodens serves cached answers and warns", {
  needs: PROGRAMS,
}, async (rig) => {
  const { namespace, pods } = rig.nodes[0]!;
  const nodens = await startNodeCache(rig, { more: ["-syncinterval", "1"] });
  await engaged(nodens);
  const pod = pods[0]!.namespace;
  const name = "kubernetes.default.svc.cluster.local";
  assert.equal((await rig.dig(pod, `@${KUBE_DNS.v4}`, name)).answer?.status, "NOERROR");
  const args = ["run", "-A", FILL];
  const filled = await rig.exec(namespace, Deno.execPath(), args, { timeoutMs: 120_000 });
  assert.match(filled.stdout, /^FULL$/m, filled.stderr);
  const told =
    /\[WARNING\] conntrack: the table of this node is nearly full .*raise net\.netfilter/;
  await until(() => told.test(nodens.output), nodens.output);
  for (const words of ["+notcp", "+tcp"]) {
    const { answer } = await rig.dig(pod, `@${KUBE_DNS.v4}`, name, words);
    assert.equal(answer?.status, "NOERROR", words);
  }
  assert.equal(await whoAnswers(rig, pod, LINK_LOCAL), "cache");
  await terminate(nodens);
  assert.deepEqual(ownRules(await hostState(rig)), []);
});

rigTest("other programs' rules between ours stay, as does a similar one without a comment", {
  needs: PROGRAMS,
}, async (rig) => {
  const accept = ["INPUT", "-p", "udp", "-d", KUBE_DNS.v4, "--dport", "53", "-j", "ACCEPT"];
  await inNode(rig, "iptables", "-w", "5", "-A", ...accept);
  const theirs = async () =>
    (await hostState(rig)).rules.filter((rule) =>
      / (filter|raw) /.test(rule) && !/NodeLocal|nodens/.test(rule)
    );
  const nodens = await startNodeCache(rig, { more: ["-syncinterval", "1"] });
  await engaged(nodens);
  const alone = await theirs();
  for (const [chain, position] of [["PREROUTING", "2"], ["OUTPUT", "3"]] as const) {
    const words = ["-s", "192.0.2.0/24", "-j", "ACCEPT"];
    await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-I", chain, position, ...words);
  }
  const between = await theirs();
  assert.equal(between.length, alone.length + 2);
  const own = ownRules(await hostState(rig));
  const lines = nodens.output.length;
  // One of our rules is removed, and restored above theirs.
  const [first] = own.filter((rule) => rule.includes("raw -A PREROUTING"));
  const args = first!.split(" raw -A ")[1]!.match(/"[^"]*"|\S+/g)!.map((one) =>
    one.replaceAll('"', "")
  );
  await inNode(rig, "iptables", "-w", "5", "-t", "raw", "-D", ...args);
  await until(() => nodens.output.slice(lines).includes("put in order (1 changes)"));
  assert.deepEqual(await theirs(), between);
  assert.deepEqual(ownRules(await hostState(rig)).toSorted(), own.toSorted());
  await served(rig, "cache");
  assert.match(
    nodens.output,
    /a rule above those of nodens takes .* -s 192\.0\.2\.0\/24 -j ACCEPT/,
  );
  await terminate(nodens);
  assert.deepEqual(await theirs(), between);
  assert.equal(between.filter((rule) => rule.includes(`-d ${KUBE_DNS.v4}/32 -p udp`)).length, 1);
  assert.deepEqual(ownRules(await hostState(rig)), []);
});

rigTest("a renamed interface and an address on another link are repaired and reported", {
  needs: PROGRAMS,
}, async (rig) => {
  const before = await hostState(rig);
  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  await inNode(rig, "ip", "link", "set", "nodelocaldns", "down");
  await inNode(rig, "ip", "link", "set", "nodelocaldns", "name", "stolen");
  await until(() => /removed the link that was renamed to stolen/.test(nodens.output));
  await served(rig, "cache");
  await inNode(rig, "ip", "addr", "del", `${KUBE_DNS.v4}/32`, "dev", "nodelocaldns");
  await inNode(rig, "ip", "addr", "add", `${KUBE_DNS.v4}/32`, "dev", "fabric0");
  const told = /\[WARNING\] .*is on fabric0 too.*ip address del 10\.96\.0\.10\/32 dev fabric0/;
  await until(() => told.test(nodens.output), nodens.output);
  await served(rig, "cache");
  await terminate(nodens);
  await inNode(rig, "ip", "addr", "del", `${KUBE_DNS.v4}/32`, "dev", "fabric0");
  assert.deepEqual(await hostState(rig), before);
});
