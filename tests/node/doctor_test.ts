import assert from "node:assert/strict";
import type { Finding } from "../../src/doctor/judge/finding.ts";
import { nodeRules, type RuleOptions } from "../../src/node/rules/rules.ts";
import { joinWords } from "../../src/node/rules/rule_text.ts";
import { inNode } from "../support/namespaces/node_cache.ts";
import { until } from "../support/run/until.ts";
import { MAIN } from "../support/processes/nodens.ts";
import { skipFor } from "../support/run/require.ts";
import {
  KUBE_DNS,
  KUBE_DNS_UPSTREAM,
  NodeRig,
  OUTSIDE,
  type RigNode,
  rigReasons,
  rigTest,
} from "../support/namespaces/node_rig.ts";

const LOCAL = "169.254.20.10";
const LOCAL_IPS = `${LOCAL},${KUBE_DNS.v4}`;
const RULES: RuleOptions = {
  addresses: [LOCAL, KUBE_DNS.v4],
  port: 53,
  healthPort: 8080,
  failOpenTo: [],
  tracked: [],
};
const COREFILE = `cluster.local {
    bind ${LOCAL} ${KUBE_DNS.v4}
    forward . ${KUBE_DNS_UPSTREAM.v4}
    prometheus 127.0.0.1:9153
    health ${LOCAL}:8080
}
. {
    bind ${LOCAL} ${KUBE_DNS.v4}
    forward . /etc/resolv.conf
    prometheus 127.0.0.1:9153
}
`;
const TEMPLATE = COREFILE.replaceAll(KUBE_DNS_UPSTREAM.v4, "__PILLAR__CLUSTER__DNS__");

const HOLDER = 'Deno.listenDatagram({ hostname: "0.0.0.0", port: 53, transport: "udp" });' +
  'console.log("ready"); setInterval(() => {}, 1e6)';

const require = skipFor(rigReasons({ programs: ["setpriv"] }));

interface Diagnosis {
  code: number;
  running: string;
  findings: Finding[];
  of(id: string): Finding;
  problems: string[];
}

async function doctor(
  rig: NodeRig,
  node: RigNode,
  args: readonly string[],
  { env = {}, prefix = [] }: { env?: Record<string, string>; prefix?: readonly string[] } = {},
): Promise<Diagnosis> {
  const [command, ...rest] = [
    ...prefix,
    ...[Deno.execPath(), "run", "-A", MAIN, "doctor", "--json", "-timeout", "5", ...args],
  ];
  const { code, stdout, stderr } = await rig.exec(node.namespace, command!, rest, { env });
  assert.equal(stderr, "");
  const { running, findings } = JSON.parse(stdout) as { running: string; findings: Finding[] };
  const of = (id: string) => {
    const found = findings.find((one) => one.id === id);
    assert.ok(found !== undefined, `no finding ${id} in ${stdout}`);
    return found;
  };
  const problems = findings.filter(({ status }) => status === "problem").map(({ id }) => id);
  assert.equal(code, problems.length > 0 ? 1 : 0, stdout);
  return { code, running, findings, of, problems };
}

/** Makes the interface as the node role does. */
async function addInterface(rig: NodeRig): Promise<void> {
  await inNode(rig, "ip", "link", "add", "nodelocaldns", "type", "bridge");
  await inNode(rig, "ip", "link", "set", "nodelocaldns", "up");
  for (const address of RULES.addresses) {
    await inNode(rig, "ip", "addr", "add", `${address}/32`, "dev", "nodelocaldns");
  }
}

/** Adds node-cache's rules. */
async function addRules(rig: NodeRig): Promise<void> {
  const lines = nodeRules(4, "none", RULES).map(({ table, chain, args }) =>
    `iptables -w 5 -t ${table} -I ${chain} ${joinWords(args)}`
  );
  await inNode(rig, "sh", "-ec", lines.join("\n"));
}

Deno.test({
  name: "doctor: examines a node before nodens starts, while it runs, and with faults",
  ...require,
  async fn() {
    await using rig = await NodeRig.create();
    const node = rig.nodes[0]!;
    const directory = Deno.makeTempDirSync({ prefix: "nodens_doctor_" });
    try {
      const file = `${directory}/Corefile`;
      Deno.writeTextFileSync(file, COREFILE);
      const base = `${directory}/Corefile.base`;
      Deno.writeTextFileSync(base, TEMPLATE);
      const flags = ["-localip", LOCAL_IPS, "-conf", file];
      const asTemplate = ["-localip", LOCAL_IPS, "-basecorefile", base, "-conf", `${file}.made`];
      const service = { KUBE_DNS_UPSTREAM_SERVICE_HOST: KUBE_DNS_UPSTREAM.v4 };
      const plain = [...asTemplate, "-upstreamsvc", "kube-dns-upstream", "-failopen=false"];

      const rulesBefore = (await rig.exec(node.namespace, "iptables-save")).stdout;
      const before = await doctor(rig, node, plain, { env: service });
      assert.deepEqual(before.problems, []);
      assert.equal(before.running, "nobody");
      assert.match(before.of("listeners").found, /^free: 169\.254\.20\.10:53, 10\.96\.0\.10:53$/);
      assert.match(before.of("interface").found, /^nodens will make "nodelocaldns"/);
      assert.match(before.of("rules").found, /^none; nodens puts 24 in/);
      assert.equal(before.of(`listener:${LOCAL}:53`).status, "skipped");
      // kube-dns has the service's address until nodens adopts it.
      const { status, found } = before.of(`listener:${KUBE_DNS.v4}:53`);
      assert.equal(status, "ok", found);
      assert.match(found, /no socket of this node is there, so it comes from elsewhere$/);
      assert.equal(before.of(`upstream:${OUTSIDE.v4}:53`).status, "ok");
      assert.equal(before.of(`upstream:${KUBE_DNS_UPSTREAM.v4}:53`).status, "ok");
      assert.equal(before.of("service").status, "ok");
      const counters = (text: string) => text.replaceAll(/\[\d+:\d+\]|^#.*$/gm, "");
      const rulesAfter = (await rig.exec(node.namespace, "iptables-save")).stdout;
      assert.equal(counters(rulesAfter), counters(rulesBefore), "the host has not changed");

      // A missing variable, and a pod without rights.
      const missing = await doctor(rig, node, plain);
      assert.deepEqual(missing.problems, ["service"]);
      assert.match(missing.of("service").found, /KUBE_DNS_UPSTREAM_SERVICE_HOST is not set/);
      assert.equal(missing.of(`upstream:${OUTSIDE.v4}:53`).status, "ok", "the rest is checked");
      const weak = await doctor(rig, node, plain, {
        env: service,
        prefix: ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"],
      });
      assert.ok(weak.problems.includes("capabilities"), JSON.stringify(weak.findings));
      assert.match(weak.of("capabilities").found, /NET_ADMIN \(for the interface and the iptables/);
      assert.match(weak.of("iptables").remedy, /NET_ADMIN/);

      const server = await rig.startIn(
        node.namespace,
        Deno.execPath(),
        ["eval", "--unstable-net", HOLDER],
        { ready: (output) => output.includes("ready") },
      );
      const conflict = await doctor(rig, node, plain, { env: service });
      assert.ok(conflict.problems.includes("listeners"));
      assert.match(conflict.of("listeners").found, /^deno \(\d+\) has 0\.0\.0\.0:53\/udp$/);
      assert.match(conflict.of("listeners").remedy, /^deno: stop it, or give it or nodens another/);
      await server.stop();

      // Beside nodens.
      await addInterface(rig);
      await using _nodens = await disposable(rig.startNodensIn(node, { corefile: COREFILE }));
      const without = await doctor(rig, node, [...flags, "-failopen=false"]);
      assert.equal(without.running, "nodens");
      assert.deepEqual(without.problems, ["rules"]);
      await addRules(rig);
      const healthy = await doctor(rig, node, [...flags, "-failopen=false"]);
      assert.deepEqual(healthy.problems, [], JSON.stringify(healthy.findings));
      assert.match(healthy.of("rules").found, /^24, without fail-open \(nft\)$/);
      for (const address of RULES.addresses) {
        const { status, found } = healthy.of(`listener:${address}:53`);
        assert.equal(status, "ok", found);
        assert.match(
          found,
          /UDP [\d.]+ ms, TCP [\d.]+ ms.*UDP .*TCP .*; nodens \d\S+ \(process \d+\) listens/,
        );
      }
      assert.equal(healthy.of("pod").status, "ok");
      assert.match(healthy.of("pod").found, /^from 10\.244\.0\.1 \(pod\d\) to 10\.96\.0\.10:53/);

      const links = (await rig.exec(node.namespace, "ip", ["-o", "link"])).stdout;
      const pod = await doctor(rig, node, [...flags, "-failopen=false", "--pod"]);
      assert.equal(pod.of("pod").status, "ok", pod.of("pod").found);
      assert.match(pod.of("pod").found, /^from a namespace beside the node to 10\.96\.0\.10:53/);
      assert.equal((await rig.exec(node.namespace, "ip", ["-o", "link"])).stdout, links);
      assert.ok(
        ![...Deno.readDirSync("/run/netns")].some(({ name }) => /^nodens-doctor/.test(name)),
      );

      // Rules without a heartbeat, and below foreign rules.
      const plainRules = await doctor(rig, node, flags);
      assert.deepEqual(plainRules.problems, []);
      assert.equal(plainRules.of("rules").status, "warning");
      const drop = `INPUT -d ${LOCAL} -p udp --dport 53 -j DROP`.split(" ");
      await inNode(rig, "iptables", "-w", "5", "-I", ...drop);
      const obstacle = await doctor(rig, node, [...flags, "-failopen=false"]);
      assert.ok(obstacle.problems.includes("foreign-rules"));
      assert.match(
        obstacle.of("foreign-rules").found,
        /takes udp traffic to 169\.254\.20\.10 port 53/,
      );
      assert.ok(obstacle.problems.includes(`listener:${LOCAL}:53`));
      assert.match(obstacle.of(`listener:${LOCAL}:53`).remedy, /TCP is answered and UDP is not/);
      await inNode(rig, "iptables", "-w", "5", "-D", ...drop);

      // Rules in both kinds of iptables, and a loop.
      await inNode(
        rig,
        ...["xtables-legacy-multi", "iptables", "-w", "5", "-A", "FORWARD", "-j", "ACCEPT"],
      );
      const resolvConf = Deno.readTextFileSync(node.resolvConf);
      Deno.writeTextFileSync(node.resolvConf, `nameserver ${LOCAL}\n`);
      const mixed = await doctor(rig, node, [...flags, "-failopen=false"]);
      assert.ok(mixed.problems.includes("iptables"));
      assert.match(
        mixed.of("iptables").found,
        /rules of both kinds at once.* 1 in legacy, such as/,
      );
      assert.ok(mixed.problems.includes("resolv-conf"));
      assert.match(
        mixed.of("resolv-conf").found,
        /names 169\.254\.20\.10 alone, which is nodens itself and left out/,
      );
      Deno.writeTextFileSync(node.resolvConf, resolvConf);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

for (const backend of ["nft", "legacy"] as const) {
  rigTest(`doctor: finds no problem while the node role runs, iptables ${backend}`, {
    backend,
  }, async (rig) => {
    const node = rig.nodes[0]!;
    let flags: string[] = [];
    const env = { KUBE_DNS_UPSTREAM_SERVICE_HOST: KUBE_DNS_UPSTREAM.v4 };
    const nodens = await rig.startNodensIn(node, {
      files: { "Corefile.base": TEMPLATE },
      args: (directory) =>
        flags = [
          ...["-localip", LOCAL_IPS, "-conf", `${directory}/Corefile`],
          ...["-upstreamsvc", "kube-dns-upstream", "-basecorefile", `${directory}/Corefile.base`],
        ],
      env,
    });
    await until(() => /10\.96\.0\.10 answers, and takes its queries/.test(nodens.output));
    const healthy = await doctor(rig, node, flags, { env });
    assert.deepEqual(healthy.problems, [], JSON.stringify(healthy.findings));
    assert.equal(healthy.running, "nodens");
    assert.match(
      healthy.of("rules").found,
      new RegExp(`^26, .* heartbeat and socket \\(${backend}\\)$`),
    );
    assert.equal(healthy.of("heartbeat").found, `renewed for ${KUBE_DNS.v4}`);
    assert.match(healthy.of("interface").found, /^nodelocaldns has 169.254.20.10, 10.96.0.10$/);
    const warnings = healthy.findings.filter(({ status }) => status === "warning");
    assert.deepEqual(warnings, []);
    // A pod's queries meet the rules for packets from outside.
    const pod = await doctor(rig, node, [...flags, "--pod"], { env });
    assert.equal(pod.of("pod").status, "ok", pod.of("pod").found);
    await nodens.stop();
    const after = await doctor(rig, node, flags, { env });
    assert.equal(after.running, "nobody");
    assert.deepEqual(after.problems, []);
  });
}

async function disposable<T extends { stop(): Promise<unknown> }>(
  starting: Promise<T>,
): Promise<T & AsyncDisposable> {
  const process = await starting;
  return Object.assign(process, {
    async [Symbol.asyncDispose]() {
      await process.stop();
    },
  });
}
