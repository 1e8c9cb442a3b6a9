/**
 * A year of a small cluster set up by `nodens manifest`: three nodes with two pods each, and two
 * replicas of the cluster DNS. Everything is real but Kubernetes
 * (`tests/support/namespaces/cluster/kubelet.ts`) and the container's image.
 */
import assert from "node:assert/strict";
import { Kubelet } from "../support/namespaces/cluster/kubelet.ts";
import { type DaemonSetView, renderManifest } from "../support/namespaces/cluster/manifest.ts";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import {
  KUBE_DNS,
  KUBE_DNS_UPSTREAM,
  NodeRig,
  rigReasons,
} from "../support/namespaces/node_rig.ts";
import { whoAnswers } from "../support/namespaces/node_cache.ts";

/** Per pod: the machine carries the whole cluster. */
const POD_QPS = 200;
const POPULAR = Array.from({ length: 50 }, (_, i) => `n${i}.load.cluster.local`);
const OUTSIDE_NAMES = ["a.example.org", "two.example.org", "mail.example.org"];
const NAMES = [...POPULAR, ...OUTSIDE_NAMES];
/** As pods query: search paths before names outside, and Services with a TTL of one second. */
const EVERYDAY = [
  ...NAMES,
  ...["default.svc", "svc", ""].flatMap((path) =>
    OUTSIDE_NAMES.map((name) => [name, path, "cluster.local"].filter((one) => one !== "").join("."))
  ),
  ...Array.from({ length: 10 }, (_, i) => `n${i}.brief.cluster.local`),
];
/** Promised by fail-open, and a margin for a loaded machine. */
const PROMISE_MS = 2000;
const SLACK_MS = 4000;

const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/** Queries received by all replicas of the cluster DNS. */
const seen = (rig: NodeRig) => rig.replicas.reduce((sum, replica) => sum + replica.queries(), 0);

interface Cluster {
  rig: NodeRig;
  kubelets: readonly Kubelet[];
  view: DaemonSetView;
  pods: readonly string[];
}

/** Loads all pods for some seconds; returns the sums. */
async function load(
  { rig, pods }: Cluster,
  options: { seconds: number; names?: readonly string[]; tcp?: boolean; only?: readonly string[] },
): Promise<{ sent: number; completed: number; lost: number; rcodes: Record<string, number> }> {
  const { seconds, names = NAMES, tcp = false, only = pods } = options;
  const runs = await Promise.all(only.map((pod) =>
    rig.dnsperf(pod, {
      ...{ server: KUBE_DNS.v4, qps: POD_QPS, seconds, names, tcp },
      clients: tcp ? 1 : 4,
      timeoutSeconds: 5,
    })
  ));
  const sum = { sent: 0, completed: 0, lost: 0, rcodes: {} as Record<string, number> };
  for (const { sent, completed, lost, rcodes } of runs) {
    sum.sent += sent;
    sum.completed += completed;
    sum.lost += lost;
    for (const [name, count] of Object.entries(rcodes)) {
      sum.rcodes[name] = (sum.rcodes[name] ?? 0) + count;
    }
  }
  return sum;
}

Deno.test({
  name: "cluster: three nodes, from the manifest to the loss of half of the cluster DNS",
  ...skipFor(rigReasons({ programs: ["dig", "dnsperf", "curl"] })),
  fn: async (t) => {
    const view = await renderManifest(["-kubedns", KUBE_DNS.v4]);
    await using rig = await NodeRig.create({ nodes: 3, replicas: 2 });
    const env = {
      KUBE_DNS_SERVICE_HOST: KUBE_DNS.v4,
      KUBE_DNS_UPSTREAM_SERVICE_HOST: KUBE_DNS_UPSTREAM.v4,
    };
    const kubelets = rig.nodes.map((node) => new Kubelet(rig, node, { view, env }));
    const pods = rig.nodes.flatMap(({ pods }) => pods.map(({ namespace }) => namespace));
    const cluster: Cluster = { rig, kubelets, view, pods };
    try {
      await t.step(
        "all nodes are ready, and each pod's queries are answered by its node",
        () => ready(cluster),
      );
      await t.step("most queries do not reach the cluster DNS", () => measure(cluster));
      await t.step("a rolling update, node by node, loses no query", () => update(cluster));
      await t.step(
        "a killed nodens interrupts its node for at most two seconds",
        () => killed(cluster),
      );
      await t.step(
        "pods get answers after half of the cluster DNS is killed",
        () => halfGone(cluster),
      );
      await t.step(
        "without nodens, all queries reach the cluster DNS, and no changes remain",
        () => without(cluster),
      );
    } finally {
      for (const kubelet of kubelets) kubelet.clean();
    }
  },
});

async function ready({ rig, kubelets, view, pods }: Cluster): Promise<void> {
  await Promise.all(kubelets.map((kubelet) => kubelet.start()));
  for (const kubelet of kubelets) {
    assert.ok(await kubelet.probe(view.liveness), "liveness");
    await until(() => /10\.96\.0\.10 answers, and takes/.test(kubelet.container.output), "rules");
  }
  for (const pod of pods) {
    assert.equal(await whoAnswers(rig, pod, KUBE_DNS.v4), "cache");
    for (const name of [POPULAR[0]!, OUTSIDE_NAMES[0]!]) {
      for (const transport of ["+notcp", "+tcp"]) {
        const { answer, text } = await rig.dig(pod, `@${KUBE_DNS.v4}`, transport, name);
        assert.equal(answer?.status, "NOERROR", text);
      }
    }
  }
}

/** Figures of the load with nodens, printed at the end beside those without. */
let withNodens = { queries: 0, upstream: 0, seconds: 1 };

async function measure(cluster: Cluster): Promise<void> {
  const seconds = 5;
  await load(cluster, { seconds: 1, names: EVERYDAY });
  const before = seen(cluster.rig);
  const { completed, lost } = await load(cluster, { seconds, names: EVERYDAY });
  assert.equal(lost, 0);
  withNodens = { queries: completed, upstream: seen(cluster.rig) - before, seconds };
  assert.ok(withNodens.upstream < completed / 10, `${withNodens.upstream} of ${completed}`);
}

async function update(cluster: Cluster): Promise<void> {
  const { kubelets, rig } = cluster;
  const firsts = rig.nodes.map(({ pods }) => pods[0]!.namespace);
  let updating = true;
  // Repeats, because an update may take any time.
  const loads = (async () => {
    const results: Awaited<ReturnType<typeof load>>[] = [];
    while (updating) {
      results.push(
        ...await Promise.all([
          load(cluster, { seconds: 4 }),
          load(cluster, { seconds: 4, tcp: true, only: firsts }),
        ]),
      );
    }
    return results;
  })();
  try {
    for (const kubelet of kubelets) {
      const old = kubelet.container;
      assert.equal(await kubelet.update(), 0, old.output);
    }
  } finally {
    updating = false;
  }
  for (const { sent, completed, lost, rcodes } of await loads) {
    assert.ok(sent > POD_QPS, `${sent} sent`);
    assert.deepEqual({ lost, rcodes }, { lost: 0, rcodes: { NOERROR: completed } });
  }
}

async function killed(cluster: Cluster): Promise<void> {
  const { rig, kubelets } = cluster;
  const { pods } = rig.nodes[0]!;
  const loads = load(cluster, { seconds: 12, only: [pods[1]!.namespace] });
  await new Promise((wake) => setTimeout(wake, 500));
  await kubelets[0]!.kill();
  const start = performance.now();
  for (;;) {
    const askedMs = performance.now() - start;
    const who = await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4);
    if (who === "cluster") break;
    assert.ok(askedMs < PROMISE_MS + SLACK_MS, `${who} answers after ${askedMs} ms`);
  }
  say(`    killed: the cluster DNS answers after ${Math.round(performance.now() - start)} ms`);
  const limitMs = performance.now() + 20_000;
  while (await whoAnswers(rig, pods[0]!.namespace, KUBE_DNS.v4) !== "cache") {
    assert.ok(performance.now() < limitMs, kubelets[0]!.container.output);
  }
  const { sent, lost } = await loads;
  const lostMs = Math.round(lost / POD_QPS * 1000);
  say(`    killed: ${lost} of ${sent} queries lost, ${lostMs} ms of a pod's`);
  assert.ok(lostMs <= PROMISE_MS + SLACK_MS, `${lost} of ${sent} lost`);
}

async function halfGone(cluster: Cluster): Promise<void> {
  const { rig } = cluster;
  await load(cluster, { seconds: 1 });
  await rig.killReplica(0);
  try {
    // Kubernetes notices after a while; until then half of the queries get no answer.
    const known = load(cluster, { seconds: 3 });
    const fresh = Array.from({ length: 300 }, (_, i) => `fresh${i}.load.cluster.local`);
    const asked = await load(cluster, { seconds: 3, names: fresh, only: [cluster.pods[0]!] });
    await rig.setEndpoints([1]);
    const { lost, completed, rcodes } = await known;
    assert.equal(lost, 0);
    const answered = rcodes.NOERROR ?? 0;
    say(
      `    half of the cluster DNS gone: ${
        completed - answered
      } of ${completed} known names failed`,
    );
    assert.ok(answered > completed * 0.98, JSON.stringify(rcodes));
    const good = asked.rcodes.NOERROR ?? 0;
    say(`    and ${asked.sent - good} of ${asked.sent} queries for new ones`);
    assert.ok(good > asked.sent * 0.9, JSON.stringify(asked));
    const after = await load(cluster, { seconds: 2, names: fresh.map((name) => `later-${name}`) });
    assert.deepEqual({ lost: after.lost, rcodes: after.rcodes }, {
      lost: 0,
      rcodes: { NOERROR: after.completed },
    });
  } finally {
    await rig.startReplica(0);
    await rig.setEndpoints([0, 1]);
  }
}

async function without(cluster: Cluster): Promise<void> {
  const { rig, kubelets } = cluster;
  for (const kubelet of kubelets) {
    assert.equal(kubelet.unhealthy, 0);
    assert.equal(await kubelet.stop(), 0, kubelet.container.output);
  }
  for (const { namespace } of rig.nodes) {
    const { stdout } = await rig.exec(namespace, "iptables-save");
    assert.doesNotMatch(stdout, /NodeLocal|nodens/);
  }
  const seconds = 3;
  const before = seen(rig);
  const { completed, lost } = await load(cluster, { seconds, names: EVERYDAY });
  assert.equal(lost, 0);
  const upstream = seen(rig) - before;
  const row = (name: string, figures: typeof withNodens) =>
    [
      name.padEnd(14),
      String(Math.round(figures.queries / figures.seconds)).padStart(9),
      String(Math.round(figures.upstream / figures.seconds)).padStart(13),
      `${(100 * (1 - figures.upstream / figures.queries)).toFixed(1)} %`.padStart(10),
    ].join("  ");
  say("    queries a second   from pods  to cluster DNS   hit ratio");
  say(`    ${row("with nodens", withNodens)}`);
  say(`    ${row("without", { queries: completed, upstream, seconds })}`);
  assert.ok(upstream >= completed * 0.9, `${upstream} of ${completed}`);
}
