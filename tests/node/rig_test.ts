import assert from "node:assert/strict";
import { skipFor } from "../support/run/require.ts";
import { until } from "../support/run/until.ts";
import {
  KUBE_DNS,
  KUBE_DNS_UPSTREAM,
  NodeRig,
  OUTSIDE,
  type RigNode,
  rigReasons,
  rigTest,
} from "../support/namespaces/node_rig.ts";
import { processesIn, rigNamespaces } from "../support/namespaces/rig/network.ts";

function present(names: readonly string[]): string[] {
  const all = rigNamespaces();
  return names.filter((name) => all.includes(name));
}

/** The replicas that answer a number of queries. */
async function whoAnswers(rig: NodeRig, from: string, count: number): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const reply = await rig.dig(from, `@${KUBE_DNS.v4}`, "whoami.cluster.local", "TXT");
    seen.add(reply.data[0] ?? "nobody");
  }
  return seen;
}

/** Queries until all of these have answered, a hundred times at most. */
async function untilSeen(rig: NodeRig, from: string, ...expected: string[]): Promise<void> {
  const seen = new Set<string>();
  for (let i = 0; i < 100 && !expected.every((one) => seen.has(one)); i++) {
    for (const one of await whoAnswers(rig, from, 1)) seen.add(one);
  }
  assert.deepEqual([...seen].sort(), [...expected].sort());
}

for (const backend of ["nft", "legacy"] as const) {
  rigTest(`rig: services route pods and nodes to kube-dns, iptables ${backend}`, {
    backend,
    ipv6: true,
    needs: ["dig", "kdig"],
  }, async (rig) => {
    const node = rig.nodes[0]!;
    const version = await rig.exec(node.namespace, "iptables", ["--version"]);
    assert.match(version.stdout, backend === "nft" ? /nf_tables/ : /legacy/);
    const other = backend === "nft" ? "xtables-legacy-multi" : "xtables-nft-multi";
    const rules = await rig.exec(node.namespace, other, ["iptables-save"]);
    assert.doesNotMatch(rules.stdout, /KUBE/, "the other backend has no rules");

    for (const { namespace } of [node, ...node.pods]) {
      for (const server of [KUBE_DNS.v4, KUBE_DNS.v6, KUBE_DNS_UPSTREAM.v4]) {
        for (const transport of ["+notcp", "+tcp"]) {
          const at = `${namespace} ${server} ${transport}`;
          const name = "kubernetes.default.svc.cluster.local";
          const inside = await rig.dig(namespace, `@${server}`, transport, name);
          assert.deepEqual(inside.data, ["10.96.0.1"], `${at}\n${inside.text}`);
          const outside = await rig.kdig(namespace, `@${server}`, transport, "a.example.org");
          assert.deepEqual(outside.data, ["192.0.2.1"], `${at}\n${outside.text}`);
        }
      }
    }
    const replica = rig.replicas[0]!;
    assert.equal(replica.queries("kubernetes.default.svc.cluster.local", "A"), 18);
    assert.equal(replica.queries(), 36);
    assert.ok(rig.outside.queries("a.example.org", "A") >= 1, "forwarded");
  });
}

rigTest("rig: replicas of kube-dns share the queries, and can be killed and restarted", {
  needs: ["dig"],
  replicas: 2,
}, async (rig) => {
  const [first, second] = ['"replica-0"', '"replica-1"'];
  const pod = rig.nodes[0]!.pods[0]!.namespace;
  await untilSeen(rig, pod, first, second);

  await rig.killReplica(0);
  assert.equal(rig.replicas[0]!.pid, null);
  await untilSeen(rig, pod, "nobody", second);
  await assert.rejects(rig.killReplica(0), /it does not run/);

  await rig.setEndpoints([1]);
  assert.deepEqual(await whoAnswers(rig, pod, 8), new Set([second]));
  await rig.setEndpoints([]);
  for (const from of [pod, rig.nodes[0]!.namespace]) {
    const refused = await rig.dig(from, `@${KUBE_DNS.v4}`, "+tcp", "whoami.cluster.local", "TXT");
    assert.match(refused.text, /refused/);
  }

  await rig.startReplica(0);
  await rig.setEndpoints([0, 1]);
  await untilSeen(rig, pod, first, second);
});

rigTest("rig: three nodes reach each other, their pods and the outside, and run nodens", {
  needs: ["dig"],
  nodes: 3,
}, async (rig) => {
  const server = rig.nodes[1]!;
  const nodens = await rig.startNodensIn(server, {
    corefile: (directory) =>
      `.:53 {
bind ${server.addresses.v4}
hosts ${directory}/extra {
  fallthrough
}
forward . ${KUBE_DNS_UPSTREAM.v4}
}
`,
    files: { extra: "192.0.2.77 seven.example.org\n" },
  });
  for (const { index, namespace, pods } of rig.nodes) {
    for (const from of [namespace, pods[1]!.namespace]) {
      const whoami = await rig.dig(from, `@${server.addresses.v4}`, "whoami.cluster.local");
      assert.deepEqual(
        whoami.data,
        [rig.replicas[0]!.addresses.v4],
        `node ${index}\n${whoami.text}${nodens.output}`,
      );
      const seven = await rig.dig(from, `@${server.addresses.v4}`, "seven.example.org");
      assert.deepEqual(seven.data, ["192.0.2.77"], `node ${index}`);
      const outside = await rig.dig(from, `@${OUTSIDE.v4}`, "www.example.net");
      assert.deepEqual(outside.data, ["192.0.2.80"], `node ${index}`);
    }
  }
  const [added] = rig.addNodePods(rig.nodes[2]!, 1);
  assert.equal(rig.nodes[2]!.pods.length, 3);
  // Without @server, /etc/resolv.conf names kube-dns.
  const reply = await rig.dig(added!.namespace, "+search", "kube-dns.kube-system.svc");
  assert.deepEqual(reply.data, [KUBE_DNS.v4], reply.text);
  assert.equal((await nodens.stop()).code, 0, nodens.output);
});

rigTest("dnsperf: load is limited and counted", { needs: ["dnsperf"] }, async (rig) => {
  const pod = rig.nodes[0]!.pods[0]!.namespace;
  const names = Array.from({ length: 4 }, (_, i) => `n${i}.load.cluster.local`);
  const options = { server: KUBE_DNS.v4, qps: 100, seconds: 1, names: [...names, "gone.local"] };
  for (const tcp of [false, true]) {
    const result = await rig.dnsperf(pod, { ...options, tcp });
    assert.ok(result.sent >= 10, result.text);
    assert.equal(result.completed + result.lost, result.sent, result.text);
    assert.deepEqual(Object.keys(result.rcodes).sort(), ["NOERROR", "NXDOMAIN"], result.text);
    assert.ok(result.averageLatency > 0, result.text);
  }
  await assert.rejects(
    rig.dnsperf(pod, { ...options, seconds: 61 }),
    new RangeError("Cannot run dnsperf with seconds 61: 1 to 60 will do"),
  );
});

rigTest(
  "rig: programs see their namespace's resolv.conf, and end within their time limit",
  {},
  async (rig) => {
    const node: RigNode = rig.nodes[0]!;
    const read = async (from: string) => (await rig.exec(from, "cat", ["/etc/resolv.conf"])).stdout;
    assert.match(await read(node.pods[0]!.namespace), /nameserver 10\.96\.0\.10\noptions ndots:5/);
    assert.equal(await read(node.namespace), "nameserver 198.18.0.53\n");
    Deno.writeTextFileSync(node.resolvConf, "nameserver 192.0.2.1\n");
    assert.equal(await read(node.namespace), "nameserver 192.0.2.1\n");

    const failed = await rig.exec(node.namespace, "sh", ["-c", "echo $WHAT >&2; exit 3"], {
      env: { WHAT: "trouble" },
    });
    assert.deepEqual(failed, { code: 3, stdout: "", stderr: "trouble\n" });
    await assert.rejects(
      rig.exec(node.namespace, "sleep", ["600"], { timeoutMs: 100 }),
      /Cannot wait for "sleep 600" in .*: it took more than 100 ms/,
    );
  },
);

Deno.test({
  name: "rig: remove leaves nothing",
  ...skipFor(rigReasons()),
  async fn() {
    const [rig, beside] = await Promise.all([NodeRig.create(), NodeRig.create()]);
    const [others, names] = [beside.namespaces, [...rig.namespaces, ...beside.namespaces]];
    assert.equal(present(names).length, 12, "two rigs beside each other");
    const node = rig.nodes[0]!;
    const shell = await rig.startIn(
      node.namespace,
      "sh",
      ["-c", "sleep 600 & trap '' TERM; echo ready; wait; wait"],
      { ready: (output) => output.includes("ready") },
    );
    Deno.kill(rig.outside.pid!, "SIGSTOP");
    const pids = processesIn(names);
    assert.ok(pids.includes(shell.pid) && pids.includes(rig.outside.pid!));
    assert.equal(pids.length, 6, "two named in each rig, the shell and its child");
    const mounted = (await rig.exec(node.namespace, "cat", ["/proc/self/mountinfo"])).stdout;
    const directory = /(\S+)\/node0\.resolv\.conf /.exec(mounted)![1]!;
    assert.ok(Deno.statSync(directory).isDirectory);
    await rig.remove();
    assert.deepEqual(present(names), others, "the other rig stays");
    await beside.remove();
    await beside.remove();
    assert.deepEqual(present(names), []);
    for (const pid of pids) assert.throws(() => Deno.statSync(`/proc/${pid}/ns/net`), `${pid}`);
    assert.throws(() => Deno.statSync(directory), Deno.errors.NotFound);
  },
});

Deno.test({
  name: "rig: a failed creation leaves nothing",
  ...skipFor(rigReasons()),
  async fn() {
    const directory = Deno.makeTempDirSync({ prefix: "nodens_rig_test_" });
    const script = "#!/bin/sh\necho no luck in $(ip netns identify $$)\nexit 1\n";
    Deno.writeTextFileSync(`${directory}/named`, script, { mode: 0o755 });
    try {
      await assert.rejects(
        NodeRig.create({ replicas: 2, programs: directory }),
        ({ message }: Error) => {
          const [, prefix] = /Cannot start .*no luck in (nodens-rig-\d+-\w+-)/s.exec(message)!;
          return rigNamespaces().every((name) => !name.startsWith(prefix!));
        },
      );
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
    await assert.rejects(
      NodeRig.create({ nodes: 0 }),
      new RangeError("Cannot make a rig with nodes 0: 1 to 9 will do"),
    );
  },
});

Deno.test({
  name: "rig: removes rigs of ended processes",
  ...skipFor(rigReasons()),
  async fn() {
    const gone = new Deno.Command("true").spawn();
    await gone.status;
    const stale = `nodens-rig-${gone.pid}-0-node0`;
    new Deno.Command("ip", { args: ["netns", "add", stale] }).outputSync();
    const left = new Deno.Command("ip", { args: ["netns", "exec", stale, "sleep", "600"] }).spawn();
    await until(() => processesIn([stale]).includes(left.pid));
    await using _rig = await NodeRig.create();
    assert.equal((await left.status).signal, "SIGKILL");
    assert.ok(!rigNamespaces().includes(stale));
  },
});
