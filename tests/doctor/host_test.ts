import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import {
  type InterfaceFacts,
  judgeInterface,
  judgeLinkKind,
} from "../../src/doctor/judge/interface.ts";
import { probeResolvConfs } from "../../src/doctor/probe/host.ts";
import { defaultLinks, defaultLinks6 } from "../../src/sys/netlink/default_routes.ts";
import {
  judgeKubelet,
  judgeResolvConf,
  type KubeletFacts,
  type ResolvConfFacts,
} from "../../src/doctor/judge/resolv_conf.ts";
import { judgeService, type ServiceFacts } from "../../src/doctor/judge/corefile.ts";
import { parseKubeletConfig } from "../../src/doctor/probe/host.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { expectFinding, testFindings, testJudge } from "../support/doubles/finding_table.ts";
import "../support/engine/all_plugins.ts";

const LOCAL = "169.254.20.10";
const DNS = "10.96.0.10";
const on = (address: string, link: string, duplicate = false) => ({ address, link, duplicate });
const BOTH = [on(LOCAL, "nodelocaldns"), on(DNS, "nodelocaldns")];
const SERVING: InterfaceFacts = {
  wanted: [LOCAL, DNS],
  setupInterface: true,
  name: "nodelocaldns",
  running: "nodens",
  kinds: { dummy: true, bridge: true },
  link: { kind: "dummy", up: true, ports: 0 },
  addresses: BOTH,
};

testJudge("interface", SERVING, judgeInterface, [
  { name: "as it should be", ok: `nodelocaldns has ${LOCAL}, ${DNS}` },
  {
    name: "missing before the start",
    facts: { running: "nobody", link: null, addresses: [] },
    ok: /^nodens will make "nodelocaldns" with 169/,
  },
  {
    name: "a missing address",
    facts: { addresses: [on(LOCAL, "nodelocaldns")] },
    problem: [/^no interface has 10\.96\.0\.10/, /syncinterval/],
  },
  {
    name: "down",
    facts: { link: { kind: "dummy", up: false, ports: 0 } },
    problem: [/./, "set it up (ip link set nodelocaldns up)"],
  },
  {
    name: "a link of another kind",
    facts: { link: { kind: "", up: true, ports: 0 } },
    problem: [/of the kind "real device"$/, /-interfacename/],
  },
  {
    name: "another program's bridge",
    facts: { link: { kind: "bridge", up: true, ports: 2 } },
    problem: [/a bridge with 2 ports/, /-interfacename/],
  },
  {
    name: "an address on another link",
    facts: { addresses: [on(LOCAL, "nodelocaldns"), on(DNS, "eth0")] },
    problem: /10\.96\.0\.10 on eth0$/,
  },
  {
    name: "kube-proxy with IPVS",
    facts: { addresses: [...BOTH, on(DNS, "kube-ipvs0")] },
    problem: [/./, /^leave 10\.96\.0\.10 out of -localip/],
  },
  {
    name: "a duplicate",
    facts: { addresses: [on(LOCAL, "nodelocaldns"), on(DNS, "nodelocaldns", true)] },
    problem: /another machine was found to have 10\.96/,
  },
  {
    name: "addresses on lo",
    facts: { link: null, addresses: [on(LOCAL, "lo"), on(DNS, "lo")] },
    ok: `lo has ${LOCAL}, ${DNS}`,
  },
  {
    name: "missing with -setupinterface=false",
    facts: { setupInterface: false, addresses: [], running: "nobody" },
    problem: [/./, /ip address add 169\.254\.20\.10 dev/],
  },
  { name: "no node role", facts: { wanted: [] }, skipped: /./ },
]);

testJudge("kind of link", SERVING, judgeLinkKind, [
  { name: "dummy", ok: "available" },
  {
    name: "bridge",
    facts: { link: null, kinds: { dummy: false, bridge: true } },
    ok: /a bridge without ports works as well$/,
  },
  {
    name: "none",
    facts: { link: null, kinds: { dummy: false, bridge: false } },
    warning: [/./, /modprobe dummy/],
  },
  { name: "unknown", facts: { kinds: null }, skipped: /./ },
  { name: "with -setupinterface=false", facts: { setupInterface: false }, skipped: /./ },
]);

const file = (servers: string[] | null, forwarded = true): ResolvConfFacts => ({
  path: "/etc/resolv.conf",
  servers,
  forwarded,
});

testFindings("resolv.conf", [
  { name: "another server", files: [file(["192.0.2.1"])], ok: "/etc/resolv.conf: 192.0.2.1" },
  {
    name: "nodens and another server",
    files: [{ ...file(["192.0.2.1", LOCAL]), leftOut: [LOCAL] }],
    warning: [
      "/etc/resolv.conf names 169.254.20.10, which is nodens itself and left out",
      /systemd\/resolve\/resolv\.conf/,
    ],
  },
  {
    name: "only nodens",
    files: [file(null), { ...file([LOCAL]), leftOut: [LOCAL] }],
    problem: [
      /^\/etc\/resolv\.conf names 169\.254\.20\.10 alone, .* SERVFAIL until/,
      /systemd\/resolve\/resolv\.conf/,
    ],
  },
  {
    name: "nodens, through a block without a loop",
    files: [file([LOCAL])],
    ok: /no loop$/,
  },
  {
    name: "nodens, without forwarding to resolv.conf",
    files: [file([LOCAL], false)],
    ok: /no loop$/,
  },
  { name: "no server", files: [file([])], warning: /no server: nodens/ },
  {
    name: "missing",
    files: [file(null), file(["192.0.2.1"])],
    warning: /^\/etc\/resolv\.conf cannot be read: nodens waits/,
  },
  { name: "none", files: [], skipped: /./ },
], ({ files }) => judgeResolvConf(files, { own: [LOCAL] }));

Deno.test("resolv.conf: the configuration determines which servers are nodens", () => {
  const host = fakeHost({
    "/etc/resolv.conf": "nameserver 127.0.0.1\n",
    "/run/resolv.conf": "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 192.0.2.9\n",
  });
  const text = ". {\n bind 127.0.0.1\n forward . /run/resolv.conf /run/missing\n}\n" +
    ". {\n bind 127.0.0.2\n whoami\n}\n";
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, host);
  assert.deepEqual(probeResolvConfs(config, host), [
    {
      path: "/run/resolv.conf",
      servers: ["127.0.0.1", "127.0.0.2", "192.0.2.9"],
      forwarded: true,
      leftOut: ["127.0.0.1"],
    },
    { path: "/run/missing", servers: null, forwarded: true, leftOut: [] },
    { path: "/etc/resolv.conf", servers: ["127.0.0.1"], forwarded: false, leftOut: [] },
  ]);
});

const KUBELET: KubeletFacts = {
  path: "/var/lib/kubelet/config.yaml",
  clusterDns: [DNS],
  resolvConf: file(["192.0.2.1"], false),
};

testFindings("kubelet", [
  {
    name: "pods query nodens",
    kubelet: KUBELET,
    ok: "pods ask 10.96.0.10 (/var/lib/kubelet/config.yaml)",
  },
  {
    name: "pods query another server",
    kubelet: { ...KUBELET, clusterDns: ["10.43.0.10"] },
    warning: [/./, /^add it to -localip .*have pods ask 169\.254\.20\.10/],
  },
  {
    name: "kube-dns would query nodens",
    kubelet: { ...KUBELET, resolvConf: file([LOCAL], false) },
    problem: [/./, /^set resolvConf to a file/],
  },
  { name: "invisible", kubelet: null, skipped: /./ },
], ({ kubelet }) => judgeKubelet(kubelet, { own: [LOCAL, DNS], localIps: [LOCAL, DNS] }));

Deno.test("parseKubeletConfig: reads YAML and JSON", async () => {
  const yaml = 'kind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\n- "fd00::a"\n' +
    "clusterDomain: cluster.local\nresolvConf: /run/systemd/resolve/resolv.conf\n";
  assert.deepEqual(await parseKubeletConfig(yaml), {
    clusterDns: ["10.96.0.10", "fd00::a"],
    resolvConf: "/run/systemd/resolve/resolv.conf",
  });
  const json = '{\n  "clusterDNS": [\n    "172.20.0.10"\n  ],\n  "resolvConf": "/etc/r.conf"\n}';
  assert.deepEqual(await parseKubeletConfig(json), {
    clusterDns: ["172.20.0.10"],
    resolvConf: "/etc/r.conf",
  });
  assert.deepEqual(await parseKubeletConfig("address: 0.0.0.0\n"), {
    clusterDns: [],
    resolvConf: null,
  });
});

const SERVICE: ServiceFacts = {
  service: "kube-dns-upstream",
  address: { address: "10.96.0.11" },
  needed: true,
};

testJudge("service", SERVICE, (facts) => judgeService(facts, [LOCAL, DNS]), [
  { name: "known", ok: "kube-dns-upstream is at 10.96.0.11" },
  {
    name: "missing",
    facts: { address: { why: "the variable is not set" } },
    problem: ["the variable is not set", /kubelet sets/],
  },
  {
    name: "missing and not needed",
    facts: { address: { why: "the variable is not set" }, needed: false },
    skipped: /the template does not need it$/,
  },
  {
    name: "an address of nodens",
    facts: { address: { address: DNS } },
    problem: [/nodens would forward to itself$/, /^make a second/],
  },
  { name: "no template", facts: { service: null }, skipped: /./ },
]);

Deno.test("defaultLinks: reads the links of default routes", () => {
  const route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n" +
    "eth0\t00000000\t01020304\t0003\t0\t0\t0\t00000000\t0\n" +
    "cni0\t00F40A00\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n";
  assert.deepEqual(defaultLinks(route), ["eth0"]);
  const zeros = "0".repeat(32);
  const route6 = `${zeros} 00 ${zeros} 00 fe80 00000400 0 0 00000003     eth1\n` +
    `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 0 0 00200200       lo\n` +
    `fd00${"0".repeat(28)} 40 ${zeros} 00 ${zeros} 00000100 0 0 00000001     eth2\n`;
  assert.deepEqual(defaultLinks6(route6), ["eth1"]);
  expectFinding(judgeKubelet(null, { own: [], localIps: [] }), { skipped: /./ });
});
