/** Load while the node role starts, stops or reloads. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import {
  engaged,
  hostState,
  NO_ERRORS,
  setupErrors,
  startNodeCache,
} from "../support/namespaces/node_cache.ts";
import {
  type Backend,
  KUBE_DNS,
  NodeRig,
  type RigNodens,
  rigReasons,
} from "../support/namespaces/node_rig.ts";
import { startAsker } from "../support/processes/tcp_asker.ts";
import type { DnsperfResult } from "../support/namespaces/rig/dnsperf.ts";

const PROGRAMS = ["dig", "curl", "dnsperf"];
const QPS = 500;
const NAMES = Array.from({ length: 200 }, (_, i) => `n${i}.load.cluster.local`);

/** Constant load from both pods and the host on the Service's address during `work`. */
async function underLoad(
  rig: NodeRig,
  seconds: number,
  work: () => Promise<void>,
  options: { tcp?: boolean; names?: readonly string[] } = {},
): Promise<void> {
  const { namespace, pods } = rig.nodes[0]!;
  let running = true;
  const load = { server: KUBE_DNS.v4, qps: QPS, seconds, names: NAMES, clients: 4, ...options };
  const runs = Promise.all(
    [namespace, pods[0]!.namespace, pods[1]!.namespace].map((from) =>
      rig.dnsperf(from, { ...load, timeoutSeconds: 5 })
    ),
  ).finally(() => running = false);
  await new Promise((wake) => setTimeout(wake, 500));
  const failure = await work().then(() => null, (error) => error);
  const stillRunning = running;
  const results = await runs;
  if (failure !== null) throw failure;
  assert.ok(stillRunning, "the load ended too early");
  results.forEach(noneLost);
}

function noneLost({ sent, completed, lost, rcodes, text }: DnsperfResult): void {
  assert.ok(sent > QPS, text);
  assert.equal(lost, 0, text);
  assert.deepEqual(rcodes, { NOERROR: completed }, text);
}

/** Replaces the config map as kubelet does: a new directory, then the link in one step. */
function swapConfigMap(nodens: RigNodens, turn: number, files: Record<string, string>): void {
  const map = `${nodens.directory}/kube-dns`;
  for (const [name, text] of Object.entries(files)) {
    nodens.rewrite(`kube-dns/..turn${turn}/${name}`, text);
  }
  Deno.symlinkSync(`..turn${turn}`, `${map}/..data_tmp`);
  Deno.renameSync(`${map}/..data_tmp`, `${map}/..data`);
  for (const name of Object.keys(files)) {
    try {
      Deno.symlinkSync(`..data/${name}`, `${map}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

Deno.test({
  name: "config map: adding a stub domain loses no query, and an invalid map changes nothing",
  ...skipFor(rigReasons({ programs: PROGRAMS })),
  fn: async () => {
    await using rig = await NodeRig.create();
    const pod = rig.nodes[0]!.pods[0]!.namespace;
    const [replica] = rig.replicas;
    const nodens = await startNodeCache(rig);
    await engaged(nodens);
    const ask = (name: string) => rig.dig(pod, `@${KUBE_DNS.v4}`, name);
    assert.equal((await ask("a.example.org")).answer?.status, "NOERROR");
    assert.equal(replica!.queries("a.example.org", "A"), 0, "queries to another server");

    const stub = { stubDomains: `{"example.org": ["${replica!.addresses.v4}"]}` };
    await underLoad(rig, 8, async () => {
      swapConfigMap(nodens, 1, stub);
      await until(() => /Reloading complete/.test(nodens.output), nodens.output);
    });
    assert.match(
      nodens.output,
      /1 stub domain, upstream servers: those of the template: Reloading/,
    );
    assert.equal((await ask("b.wild.example.org")).answer?.status, "NOERROR", nodens.output);
    assert.ok(
      replica!.queries("b.wild.example.org", "A") > 0,
      "the stub domain's server was asked",
    );
    assert.deepEqual(await setupErrors(rig), NO_ERRORS);

    const corefile = Deno.readTextFileSync(`${nodens.directory}/Corefile`);
    swapConfigMap(nodens, 2, { stubDomains: `{"example.org": ["no address` });
    const fault = /\[ERROR\] The kube-dns config map is not used: .*stubDomains/;
    await until(() => fault.test(nodens.output), nodens.output);
    assert.equal((await ask("c.wild.example.org")).answer?.status, "NOERROR");
    assert.equal(Deno.readTextFileSync(`${nodens.directory}/Corefile`), corefile);
    assert.deepEqual(await setupErrors(rig), { ...NO_ERRORS, configmap: 1 });

    const template = Deno.readTextFileSync(`${nodens.directory}/coredns/Corefile.base`);
    nodens.rewrite("coredns/Corefile.base", `${template}\nbroken {\n nothing\n}\n`);
    await until(() => /\[ERROR\] .*unknown directive "nothing"/.test(nodens.output), nodens.output);
    assert.equal((await ask("d.wild.example.org")).answer?.status, "NOERROR");
    assert.equal(Deno.readTextFileSync(`${nodens.directory}/Corefile`), corefile);
    assert.equal((await nodens.stop()).code, 0, nodens.output);
  },
});

for (const backend of ["nft", "legacy"] as Backend[]) {
  Deno.test({
    name: `${backend}: start and SIGTERM under load lose no query`,
    ...skipFor(rigReasons({ backend, programs: PROGRAMS })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend });
      const before = await hostState(rig);
      let nodens: RigNodens | null = null;
      await underLoad(rig, 10, async () => {
        nodens = await startNodeCache(rig);
        await engaged(nodens);
        assert.equal((await nodens.stop()).code, 0, nodens.output);
      });
      assert.deepEqual(await hostState(rig), before);
    },
  });
}

for (const backend of ["nft", "legacy"] as Backend[]) {
  Deno.test({
    name: `${backend}: start and stop close TCP connections`,
    ...skipFor(rigReasons({ backend, programs: PROGRAMS })),
    fn: async () => {
      await using rig = await NodeRig.create({ backend });
      const asker = await startAsker(rig, KUBE_DNS.v4, NAMES[0]!);
      const nodens = await startNodeCache(rig);
      await engaged(nodens);
      const seen = () => rig.replicas[0]!.queries(NAMES[0], "A");
      // The connection has moved to nodens once kube-dns gets no more queries.
      for (let last = -1; last !== seen();) {
        last = seen();
        await new Promise((wake) => setTimeout(wake, 200));
      }
      assert.equal((await nodens.stop()).code, 0, nodens.output);
      const after = seen();
      await until(() => seen() > after, "kube-dns is asked again");
      const { answers, ended } = await asker.stop();
      assert.ok(ended >= 2, `${ended} connections ended`);
      assert.ok(answers > 10, `${answers} answers`);
    },
  });
}
