/** The node role on a host with failures. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import {
  engaged,
  hostState,
  inNode,
  LINK_LOCAL,
  metric,
  NO_ERRORS,
  ownRules,
  setupErrors,
  startNodeCache,
  stopped,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { type Backend, KUBE_DNS, rigTest } from "../support/namespaces/node_rig.ts";

const PROGRAMS = ["dig", "curl"];

/** A PATH directory with only these programs. */
function onlyPrograms(...names: string[]): { path: string; remove: () => void } {
  const path = Deno.makeTempDirSync({ prefix: "nodens_path_" });
  for (const name of names) {
    const { stdout } = new Deno.Command("sh", { args: ["-c", `command -v ${name}`] }).outputSync();
    Deno.symlinkSync(new TextDecoder().decode(stdout).trim(), `${path}/${name}`);
  }
  return { path, remove: () => Deno.removeSync(path, { recursive: true }) };
}

rigTest(
  "without iptables, nodens serves, and reports and counts the error",
  { needs: PROGRAMS },
  async (rig) => {
    const { namespace, pods } = rig.nodes[0]!;
    const before = await hostState(rig);
    const { path, remove } = onlyPrograms("sh", "ip", "mount");
    const nodens = await startNodeCache(rig, { env: { PATH: path } });
    const line = /\[ERROR\] iptables: Cannot put the rules for IPv4 in order: there is no iptables/;
    await until(() => line.test(nodens.output), nodens.output);
    for (const from of [namespace, pods[0]!.namespace]) {
      assert.equal(await whoAnswers(rig, from, LINK_LOCAL), "cache");
      assert.equal(await whoAnswers(rig, from, LINK_LOCAL, "+tcp"), "cache");
      assert.equal(await whoAnswers(rig, from, KUBE_DNS.v4), "cluster");
    }
    const { iptables, ...others } = await setupErrors(rig);
    assert.ok(iptables! > 0);
    assert.deepEqual({ iptables: 0, ...others }, NO_ERRORS);
    await stopped(rig, nodens);
    remove();
    assert.deepEqual(await hostState(rig), before);
  },
);

for (const backend of ["nft", "legacy"] as Backend[]) {
  rigTest(`${backend}: without NET_ADMIN, nodens serves on an existing interface`, {
    backend,
    needs: [...PROGRAMS, "setpriv"],
  }, async (rig) => {
    const { namespace, pods } = rig.nodes[0]!;
    await inNode(rig, "ip", "link", "add", "nodelocaldns", "type", "bridge");
    for (const words of [`addr add ${LINK_LOCAL}/32 dev`, `addr add ${KUBE_DNS.v4}/32 dev`]) {
      await rig.exec(namespace, "ip", [...words.split(" "), "nodelocaldns"]);
    }
    await rig.exec(namespace, "ip", ["link", "set", "nodelocaldns", "up"]);
    const before = await hostState(rig);
    const by = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
    const nodens = await startNodeCache(rig, { by, more: ["-setupinterface=false"] });
    await until(() => /\[ERROR\] iptables: Cannot put the rules/.test(nodens.output));
    assert.match(nodens.output, /NET_ADMIN/);
    assert.equal(await whoAnswers(rig, pods[0]!.namespace, LINK_LOCAL), "cache");
    assert.equal(await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4), "cluster");
    const { iptables, ...others } = await setupErrors(rig);
    assert.ok(iptables! > 0);
    assert.deepEqual({ iptables: 0, ...others }, NO_ERRORS);
    await stopped(rig, nodens, before);
  });
}

rigTest("the start fails if the interface cannot be made", { needs: ["setpriv"] }, async (rig) => {
  const { namespace } = rig.nodes[0]!;
  const before = await hostState(rig);
  const by = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
  await assert.rejects(
    startNodeCache(rig, { by }),
    /it ended[^]*Cannot set up the interface "nodelocaldns": .*capability NET_ADMIN/,
  );
  assert.deepEqual(await hostState(rig), before);

  const made = ["link", "add", "nodelocaldns", "type", "veth", "peer", "name", "other"];
  assert.equal((await rig.exec(namespace, "ip", made)).code, 0);
  const taken = await hostState(rig);
  await assert.rejects(
    startNodeCache(rig),
    /it ended[^]*Cannot set up the interface "nodelocaldns": a link of kind veth has that name/,
  );
  assert.deepEqual(await hostState(rig), taken);
});

rigTest("a failed start removes its own changes, and nothing of a running nodens", {
  needs: PROGRAMS,
}, async (rig) => {
  const before = await hostState(rig);
  const broken = {
    template: `. {\n bind ${LINK_LOCAL}\n whoami\n}\n.:53 {\n bind 192.0.2.9\n}\n`,
  };
  await assert.rejects(startNodeCache(rig, broken), /it ended[^]*192\.0\.2\.9/);
  assert.deepEqual(await hostState(rig), before);

  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  const during = await hostState(rig);
  await assert.rejects(startNodeCache(rig, broken), /it ended[^]*192\.0\.2\.9/);
  assert.deepEqual(await hostState(rig), during);
  assert.doesNotMatch(nodens.output, /changed from outside/);
  await stopped(rig, nodens, before);
});

rigTest(
  "nodens serves, and reports that the metrics port is in use",
  { needs: PROGRAMS },
  async (rig) => {
    const { namespace, pods } = rig.nodes[0]!;
    const script = "const taken = Deno.listen({ port: 9353 });" +
      'Deno.stdout.writeSync(new TextEncoder().encode("TAKEN")); for await (const _ of taken);';
    const stranger = await rig.startIn(namespace, Deno.execPath(), ["eval", script], {
      ready: (output) => output.includes("TAKEN"),
    });
    const nodens = await startNodeCache(rig);
    await engaged(nodens);
    assert.match(nodens.output, /\[ERROR\] no metrics on 0\.0\.0\.0:9353: .*in use/);
    assert.equal(await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4), "cache");
    const series = 'coredns_nodecache_setup_errors_total{errortype="iptables"}';
    assert.equal(await metric(rig, series, 9253), 0, "the Corefile's own are served");
    await stopped(rig, nodens);
    await stranger.stop();
  },
);

rigTest("a lock held by another program is counted, and the rules are installed afterwards", {
  backend: "legacy",
  needs: [...PROGRAMS, "flock"],
}, async (rig) => {
  const { namespace, pods } = rig.nodes[0]!;
  const hold = 'exec 9>"$XTABLES_LOCKFILE" && flock 9 && echo held && exec sleep 60';
  const holder = await rig.startIn(namespace, "sh", ["-c", hold], {
    ready: (output) => output.includes("held"),
  });
  const nodens = await startNodeCache(rig);
  await until(() => /another program holds the xtables lock/.test(nodens.output), nodens.output);
  assert.deepEqual(ownRules(await hostState(rig)), []);
  // Meanwhile queries are answered, at the link-local address by the cache.
  assert.equal(await whoAnswers(rig, pods[0]!.namespace, LINK_LOCAL), "cache");
  assert.equal(await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4), "cluster");
  const { iptables_lock, ...others } = await setupErrors(rig);
  assert.ok(iptables_lock! > 0);
  assert.deepEqual({ ...others, iptables_lock: 0 }, NO_ERRORS);
  await holder.stop();
  await engaged(nodens);
  assert.equal(await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4), "cache");
  await stopped(rig, nodens);
});
