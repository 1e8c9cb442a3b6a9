import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { runCommand } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";
import { CASES, manifest } from "./support.ts";

// deno-lint-ignore no-explicit-any
type Parsed = any;
const parse = (text: string): Parsed[] => parseAllDocuments(text).map((one) => one.toJS());

const GOLDEN = new URL("golden/", import.meta.url).pathname;

/** Differences from the manifest for iptables, and that one's from the Kustomize base. */
function goldenOf(name: string, out: string): Promise<string> {
  return withFolder(async (folder) => {
    const base = name === "iptables"
      ? Deno.readTextFileSync(new URL("../../deploy/kustomize/base/nodens.yaml", import.meta.url))
      : (await manifest(CASES.iptables!)).out;
    Deno.writeTextFileSync(`${folder}/base`, base);
    Deno.writeTextFileSync(`${folder}/out`, out);
    const from = name === "iptables" ? "base" : "iptables";
    const labels = ["--label", `${from}.yaml`, "--label", `${name}.yaml`];
    return (await runCommand("diff", ["-U1", ...labels, `${folder}/base`, `${folder}/out`])).text;
  });
}

for (const [name, args] of Object.entries(CASES)) {
  Deno.test({
    name: `manifest: equals the golden file, ${name}`,
    ...skipUnless("diff"),
    async fn() {
      const { code, out, err } = await manifest(args);
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      const golden = await goldenOf(name, out);
      const file = `${GOLDEN}${name}.diff`;
      if (Deno.args.includes("--update")) Deno.writeTextFileSync(file, golden);
      assert.equal(golden, Deno.readTextFileSync(file));
    },
  });

  Deno.test(`manifest: has no faults, ${name}`, async () => {
    const { out } = await manifest(args);
    const { code, err } = await manifest(["-check", "m.yaml"], { "m.yaml": out });
    assert.deepEqual({ code, err }, { code: 0, err: "" });
  });
}

Deno.test("manifest: an image that no node can pull is a warning", async () => {
  const { code, out, err } = await manifest(["-kubedns", "10.96.0.10"]);
  assert.equal(code, 0);
  assert.match(out, /^ +image: nodens-node:/m);
  assert.match(
    err,
    /^warning: no node can pull "nodens-node:[0-9.]+": .* \(write REGISTRY\/NAME:TAG .* by -image.*\n$/,
  );
});

Deno.test("manifest: without -plain, the Corefile has prefetch and serve_stale", async () => {
  const corefile = async (args: string[]) =>
    parse((await manifest(args)).out).find(({ kind }) => kind === "ConfigMap").data.Corefile;
  const [full, plain] = [await corefile(CASES.iptables!), await corefile(CASES.plain!)];
  assert.equal(full.match(/^ +prefetch /gm).length, 4);
  assert.equal(full.match(/^ +serve_stale /gm).length, 4);
  assert.doesNotMatch(plain, /prefetch|serve_stale|#/);
});

Deno.test("manifest: references between objects are valid", async () => {
  const { out } = await manifest(CASES.extras!);
  const objects = parse(out);
  const find = (kind: string) => objects.filter((one) => one.kind === kind);
  const [daemonSet] = find("DaemonSet");
  const pod = daemonSet.spec.template;
  assert.deepEqual(daemonSet.spec.selector.matchLabels, pod.metadata.labels);
  assert.equal(pod.spec.serviceAccountName, find("ServiceAccount")[0].metadata.name);
  const [container] = pod.spec.containers;
  const volumes = pod.spec.volumes.map(({ name }: Parsed) => name);
  assert.deepEqual(container.volumeMounts.map(({ name }: Parsed) => name), volumes);
  const [upstream, metrics] = find("Service");
  assert.equal(container.args.at(-1), upstream.metadata.name);
  assert.deepEqual(metrics.spec.selector, pod.metadata.labels);
  assert.deepEqual(find("PodMonitor")[0].spec.selector.matchLabels, pod.metadata.labels);
  const namespaces = find("NetworkPolicy").map(({ metadata }) => metadata.namespace);
  assert.deepEqual(namespaces, ["shop", "default"]);
  // Ports would be host ports, and two such pods could not share a node.
  assert.equal(container.ports, undefined);
  assert.deepEqual(daemonSet.spec.updateStrategy.rollingUpdate, {
    maxSurge: "10%",
    maxUnavailable: 0,
  });
  assert.deepEqual(container.securityContext, {
    runAsUser: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: "RuntimeDefault" },
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW"] },
  });
  // Nothing listens on all addresses of the host.
  const [configMap] = find("ConfigMap");
  const addresses = [...configMap.data.Corefile.matchAll(/^\s*(?:prometheus|health|ready) (.*)$/gm)]
    .map(([, address]) => address);
  const expected = ["[{$POD_IP}]:9253", "169.254.20.10:8080", "169.254.20.10:8181"];
  assert.deepEqual(new Set(addresses), new Set(expected));
  const metricsAt = container.args.indexOf("-metrics-listen-address") + 1;
  assert.equal(container.args[metricsAt], "127.0.0.1:9353");
  assert.deepEqual(container.env, [{
    name: "POD_IP",
    valueFrom: { fieldRef: { fieldPath: "status.podIP" } },
  }]);
  // The upstream service comes first, because its address is in the pods' environment.
  const kinds = objects.map(({ kind }) => kind);
  assert.ok(kinds.indexOf("Service") < kinds.indexOf("DaemonSet"));
});

Deno.test("manifest: wrong flags are reported", async () => {
  const rows: [string[], string | RegExp][] = [
    [[], /flag -kubedns is needed: the address of the kube-dns service \(kubectl .*\)$/],
    [["-kubedns", "ten"], 'flag -kubedns: "ten" is not an IP address (write it like 10.96.0.10)'],
    [["-kubedn", "10.96.0.10"], 'unknown flag -kubedn (did you mean "-kubedns"?)'],
    [
      ["-localdns", "10.96.0.99"],
      "flag -localdns: 10.96.0.99 cannot be nodens's own address: it is in the service range," +
      " by the kube-dns service at 10.96.0.10 (169.254.20.10 and unused addresses of" +
      " fd00::/8 are usual)",
    ],
    [
      ["-localdns", "10.244.7.7", "-cluster-range", "10.96.0.0/12,10.244.0.0/16"],
      /^flag -localdns: 10\.244\.7\.7 cannot be .* it is in the cluster's range 10\.244\.0\.0\/16 /,
    ],
    [["-localdns", "127.0.0.53"], /a loopback address differs in every pod/],
    [["-localdns", "169.254.169.254"], /clouds serve their metadata there/],
    [["-localdns", "10.96.0.10"], /it is the address of the kube-dns service/],
    [["-localdns", "fd00::10"], /are of two families \(-dual-stack takes those of the other one\)/],
    [["-cluster-range", "10.96.0.0/33"], /"10\.96\.0\.0\/33" is not a range/],
    [
      ["-domain", "cluster..local"],
      'flag -domain: "cluster..local" is not a domain (like cluster.local)',
    ],
    [["-mode", "iptable"], 'flag -mode: "iptable" is unknown (did you mean "iptables"?)'],
    [["-mode", "ebpf"], 'flag -mode: "ebpf" is unknown (iptables, ipvs, redirect)'],
    [["-image", "a b"], /flag -image: "a b" is not an image/],
    [["-memory", "64Mi"], /flag -memory: 64Mi is too little \(128Mi at least/],
    [["-memory", "lots"], 'flag -memory: "lots" is not a size (write it like 192Mi or 1Gi)'],
    [["-dual-stack", "fd00::10"], /is not two addresses, the local one and that of kube-dns/],
    [["-dual-stack", "fd00::10,10.0.0.1"], /is not of the other family than -localdns/],
    [
      ["-dual-stack", "fe80::1,fd00:96::a"],
      /^flag -dual-stack: fe80::1 .* differs from link to link/,
    ],
    [
      ["-network-policy", "Shop"],
      'flag -network-policy: "Shop" is not a namespace (like default,shop)',
    ],
    [["-diff"], "flag -diff goes with -from FILE"],
    [["-from", "a", "-check", "b"], /give one of them/],
    [["-from", "a", "-memory", "1Gi"], "flag -memory: not together with -from"],
    [
      ["-from", "a", "-mode", "redirect"],
      /redirect needs arguments that the file of -from does not/,
    ],
    [["-check", "a", "-image", "b"], "flag -image: not together with -check"],
    [["apply"], 'unexpected argument "apply" (flags begin with -)'],
  ];
  for (const [args, expected] of rows) {
    const given = args.length === 0 || args.includes("-kubedns") ? [] : ["-kubedns", "10.96.0.10"];
    const { code, out, err } = await manifest([...given, ...args]);
    assert.deepEqual({ code, out }, { code: 2, out: "" }, args.join(" "));
    const [line] = err.replace(/^nodens manifest: /, "").split("\n");
    if (typeof expected === "string") assert.equal(line, expected);
    else assert.match(line!, expected);
    assert.match(err, /\nUsage: nodens manifest /);
  }
});

Deno.test("manifest: help names every flag", async () => {
  const { code, out } = await manifest(["-h"]);
  assert.equal(code, 0);
  for (const flag of ["-kubedns", "-dual-stack", "-from", "-diff", "-check", "-network-policy"]) {
    assert.ok(out.includes(`  ${flag}`), flag);
  }
});
