import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../../src/loading/load.ts";
import {
  fillTemplate,
  serviceAddress,
  type TemplateValues,
} from "../../../src/node/template/template.ts";
import type { ForwardOptions } from "../../../src/plugins/forward/options.ts";
import { CHAIN } from "../../../src/plugins/chain.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";

/** The published manifest's Corefile, unchanged. */
const PUBLISHED = await Deno.readTextFile(
  new URL("../../config/node_local_dns.corefile", import.meta.url),
);

const VALUES: TemplateValues = {
  file: "Corefile.base",
  localIps: ["169.254.20.10", "10.96.0.10"],
  clusterDns: { address: "10.96.120.7" },
  upstreamNameservers: [],
  domain: "cluster.local",
  metricsEndpoint: ":9253",
  stubDomains: [],
  dnsPort: 53,
};

const fill = (text: string, values: Partial<TemplateValues> = {}) =>
  fillTemplate(text, { ...VALUES, ...values }).text;

const V6 = { localIps: ["fd00::a", "169.254.20.10"], clusterDns: { address: "fd00:96::7" } };

const FILLED: {
  what: string;
  text: string;
  values?: Partial<TemplateValues>;
  filled: string;
}[] = [
  {
    what: "all local addresses, and nothing for the second variable",
    text: "bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\n",
    filled: "bind 169.254.20.10 10.96.0.10 \n",
  },
  {
    what: "the first local address before a port",
    text: "health __PILLAR__LOCAL__DNS__:8080",
    filled: "health 169.254.20.10:8080",
  },
  {
    what: "an IPv6 address in brackets before a port, and only there",
    text: "health __PILLAR__LOCAL__DNS__:8080\nready [__PILLAR__LOCAL__DNS__]:8181\n" +
      "bind __PILLAR__LOCAL__DNS__\nforward . __PILLAR__CLUSTER__DNS__\n" +
      "forward . __PILLAR__CLUSTER__DNS__:1053\nforward . dns://__PILLAR__CLUSTER__DNS__",
    values: V6,
    filled: "health [fd00::a]:8080\nready [fd00::a]:8181\nbind fd00::a 169.254.20.10\n" +
      "forward . fd00:96::7\nforward . [fd00:96::7]:1053\nforward . dns://fd00:96::7",
  },
  {
    what: "filled-in values stay",
    text: "bind 169.254.20.10 10.96.0.10\nhealth 169.254.20.10:8080\nforward . 10.96.120.7\n",
    filled: "bind 169.254.20.10 10.96.0.10\nhealth 169.254.20.10:8080\nforward . 10.96.120.7\n",
  },
  {
    what: "partly filled in, as for IPVS",
    text: "bind 169.254.20.10 __PILLAR__DNS__SERVER__\n",
    values: { localIps: ["169.254.20.10"] },
    filled: "bind 169.254.20.10 \n",
  },
  {
    what: "the address of metrics",
    text: "prometheus __PROMETHEUS__ENDPOINT__\n# __PROMETHEUS__ENDPOINT__\n",
    filled: "prometheus :9253\n# __PROMETHEUS__ENDPOINT__\n",
  },
  {
    what: "the address of metrics, with a variable of the environment",
    text: "prometheus __PROMETHEUS__ENDPOINT__\n",
    values: { metricsEndpoint: "{$POD_IP}:9253" },
    filled: "prometheus {$POD_IP}:9253\n",
  },
  {
    what: "the domain within a word",
    text: "__PILLAR__DNS__DOMAIN__:53 x.__PILLAR__DNS__DOMAIN__ {\n}",
    values: { domain: "k8s.example.org" },
    filled: "k8s.example.org:53 x.k8s.example.org {\n}",
  },
  {
    what: "resolv.conf without upstream servers, with force_tcp if written",
    text: "forward . __PILLAR__UPSTREAM__SERVERS__ {\n  force_tcp\n}\n",
    filled: "forward . /etc/resolv.conf {\n  force_tcp\n}\n",
  },
  {
    what: "custom upstream servers over UDP, whatever the indentation; the lines stay",
    text: "    forward . __PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n    }\n" +
      "\tforward a.example __PILLAR__UPSTREAM__SERVERS__{\r\n\tforce_tcp\r\n}\r\nlast",
    values: { upstreamNameservers: ["192.0.2.1", "[2001:db8::1]:1053"] },
    filled: "    forward . 192.0.2.1 [2001:db8::1]:1053\n\n\n" +
      "\tforward a.example 192.0.2.1 [2001:db8::1]:1053\n\n\nlast",
  },
  {
    what: "force_tcp stays beside other options, and in other forwards",
    text: "forward . __PILLAR__UPSTREAM__SERVERS__ {\n force_tcp\n max_fails 3\n}\n" +
      "forward . __PILLAR__CLUSTER__DNS__ {\n force_tcp\n}\n",
    values: { upstreamNameservers: ["192.0.2.1"] },
    filled: "forward . 192.0.2.1 {\n force_tcp\n max_fails 3\n}\n" +
      "forward . 10.96.120.7 {\n force_tcp\n}\n",
  },
  {
    what: "comments stay, even with variables that cannot be filled",
    text: '# __PILLAR__CLUSTER__DNS__ "\nbind __PILLAR__LOCAL__DNS__#__PILLAR__FOO__\n',
    values: { clusterDns: { why: "nobody knows" } },
    filled: '# __PILLAR__CLUSTER__DNS__ "\nbind 169.254.20.10 10.96.0.10#__PILLAR__FOO__\n',
  },
  {
    what: "a # in quotes does not begin a comment",
    text: 'log . "# __PILLAR__LOCAL__DNS__ \\" x" __PILLAR__LOCAL__DNS__',
    filled: 'log . "# 169.254.20.10 \\" x" 169.254.20.10 10.96.0.10',
  },
  { what: "nothing", text: "", filled: "" },
];

Deno.test("fillTemplate: fills variables", () => {
  for (const { what, text, values, filled } of FILLED) {
    assert.equal(fill(text, values), filled, what);
  }
});

const UNFILLABLE: { text: string; values?: Partial<TemplateValues>; message: RegExp }[] = [
  {
    text: "\n bind __PILLAR__LOCAL__DNS__\n",
    values: { localIps: [] },
    message:
      /^Corefile\.base:2: __PILLAR__LOCAL__DNS__ cannot be filled: no local address is given \(-localip 169\.254\.20\.10,10\.96\.0\.10\)$/,
  },
  {
    text: "\n\nforward . __PILLAR__CLUSTER__DNS__\nforward a __PILLAR__CLUSTER__DNS__",
    values: { clusterDns: serviceAddress("kube-dns-upstream", () => undefined) },
    message:
      /^Corefile\.base:3: __PILLAR__CLUSTER__DNS__ cannot be filled: the environment variable KUBE_DNS_UPSTREAM_SERVICE_HOST is not set \(the Service "kube-dns-upstream" must be in this namespace before the pod starts; -upstreamsvc names another\)$/,
  },
  {
    text: "forward . __PILLAR__UPSTREAM__SERVERS__:53",
    message:
      /^Corefile\.base:1: __PILLAR__UPSTREAM__SERVERS__ cannot be filled: it becomes several servers or \/etc\/resolv\.conf, so it must be a separate word \(put spaces around it in "__PILLAR__UPSTREAM__SERVERS__:53"\)$/,
  },
  {
    text: "health __PILLAR__DNS__SERVER__:8080",
    message:
      /^Corefile\.base:1: __PILLAR__DNS__SERVER__ cannot be filled: it is empty, because __PILLAR__LOCAL__DNS__ has all local addresses \(write __PILLAR__LOCAL__DNS__ here\)$/,
  },
  {
    text: "bind __PILLAR__LOCAL_DNS__",
    message:
      /^Corefile\.base:1: __PILLAR__LOCAL_DNS__ cannot be filled: there is no such variable \(did you mean "__PILLAR__LOCAL__DNS__"\?\)$/,
  },
  {
    text: "# one\n__PILLAR__ZONE__ {\n bind __PILLAR__LOCAL__DNS__\n}",
    values: { localIps: [] },
    message:
      /^Corefile\.base:2: __PILLAR__ZONE__ cannot be filled: there is no such variable.*\nCorefile\.base:3: __PILLAR__LOCAL__DNS__ cannot/,
  },
];

Deno.test("fillTemplate: reports variables that cannot be filled, with position and reason", () => {
  for (const { text, values, message } of UNFILLABLE) {
    assert.throws(() => fill(text, values), { name: "CorefileErrors", message }, text);
  }
});

Deno.test("fillTemplate: keeps texts without variables, and the number of lines", () => {
  const pieces = fc.constantFrom(
    ...'"\\#{} \n\ta',
    "forward . __PILLAR__UPSTREAM__SERVERS__ ",
    " {\n force_tcp\n}\n",
    " __PILLAR__LOCAL__DNS__",
  );
  fc.assert(fc.property(fc.string({ unit: pieces }), (text) => {
    const plain = text.replaceAll("__PILLAR__", "PILLAR");
    assert.equal(fill(plain, { upstreamNameservers: ["::1"] }), plain);
    let filled;
    try {
      filled = fill(text, { upstreamNameservers: ["::1"] });
    } catch (error) {
      assert.match((error as Error).message, /^Corefile\.base:\d+: __PILLAR__UPSTREAM/);
      return;
    }
    assert.equal(filled.split("\n").length, text.split("\n").length);
  }));
  assert.throws(
    () => fill(Array.from({ length: 1000 }, (_, i) => `__PILLAR__${i}`).join("\n")),
    (error) => (error as Error).message.split("\n").length === 20,
  );
});

Deno.test("serviceAddress: reads kubelet's variable", () => {
  const env = (name: string) =>
    ({
      KUBE_DNS_UPSTREAM_SERVICE_HOST: "10.96.120.7",
      KUBE_DNS_SERVICE_HOST: "2001:DB8:0:0::1",
      HEADLESS_SERVICE_HOST: "None",
      EMPTY_SERVICE_HOST: "",
    })[name];
  assert.deepEqual(serviceAddress("kube-dns-upstream", env), { address: "10.96.120.7" });
  assert.deepEqual(serviceAddress("kube-dns", env), { address: "2001:db8::1" });
  assert.deepEqual(serviceAddress("headless", env), {
    why: 'the environment variable HEADLESS_SERVICE_HOST holds "None", which is not an IP address',
  });
  const empty = serviceAddress("empty", env);
  assert.match("why" in empty ? empty.why : "", /^the environment variable EMPTY_SERVICE_HOST is/);
});

function supported(text: string): string {
  const missing: string[] = CHAIN.filter(({ supported }) => !supported).map(({ name }) => name);
  return text.split("\n").filter((line) => !missing.includes(line.trim().split(" ")[0]!))
    .join("\n");
}

const HOST = fakeHost({ "/etc/resolv.conf": "nameserver 192.0.2.53\n" });

function load(text: string) {
  const { config, warnings } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, HOST);
  assert.deepEqual(warnings, []);
  const listeners = config.listeners.map(({ address, port }) => `${address} ${port}`);
  const forwards = config.blocks.map(({ zones, plugins }) => {
    const { options } = plugins.find(({ name }) => name === "forward")!;
    const { upstreams, forceTcp } = options as ForwardOptions;
    return [zones[0], upstreams.map(({ address }) => address).join(" "), forceTcp];
  });
  return { listeners, forwards, endpoints: config.endpoints };
}

const BOTH = ["169.254.20.10 53", "10.96.0.10 53"];

/** Values from the manifest's instructions. */
const IPTABLES = { __PILLAR__LOCAL__DNS__: "169.254.20.10", __PILLAR__DNS__SERVER__: "10.96.0.10" };
const IPVS = { __PILLAR__LOCAL__DNS__: "169.254.20.10", __PILLAR__CLUSTER__DNS__: "10.96.0.10" };

const MANIFESTS: {
  what: string;
  replaced: Record<string, string>;
  values?: Partial<TemplateValues>;
  listeners: string[];
  cluster?: string;
}[] = [
  { what: "unchanged", replaced: {}, listeners: BOTH },
  {
    what: "filled in as for iptables",
    replaced: { ...IPTABLES, __PILLAR__DNS__DOMAIN__: "cluster.local" },
    listeners: BOTH,
  },
  {
    what: "filled in as for IPVS",
    replaced: { ...IPVS, __PILLAR__DNS__DOMAIN__: "cluster.local" },
    values: { localIps: ["169.254.20.10"], clusterDns: { why: "it is not needed" } },
    listeners: ["169.254.20.10 53"],
    cluster: "10.96.0.10",
  },
];

Deno.test("fillTemplate: fills the published manifest's Corefile, which loads", () => {
  for (const { what, replaced, values, listeners, cluster = "10.96.120.7" } of MANIFESTS) {
    const template = Object.entries(replaced).reduce(
      (text, [variable, value]) => text.replaceAll(variable, value),
      PUBLISHED,
    );
    const text = fill(template, values);
    assert.doesNotMatch(text, /PILLAR/, what);
    assert.equal(text.split("\n").length, template.split("\n").length);
    const loaded = load(supported(text));
    assert.deepEqual(loaded.listeners, listeners, what);
    assert.deepEqual(loaded.forwards, [
      ["cluster.local.", cluster, true],
      ["in-addr.arpa.", cluster, true],
      ["ip6.arpa.", cluster, true],
      [".", "192.0.2.53", false],
    ], what);
    const health = loaded.endpoints!.filter(({ kind }) => kind === "health");
    assert.deepEqual(health.map(({ host, port }) => `${host}:${port}`), ["169.254.20.10:8080"]);
  }
});

Deno.test("fillTemplate: appends a server block for each stub domain", () => {
  const stubDomains = [
    { name: "acme.local", servers: ["192.0.2.1"] },
    { name: "widget.local", servers: ["192.0.2.2:10053", "2001:db8::3"] },
  ];
  const { text, stubDomainsLine } = fillTemplate(PUBLISHED, {
    ...VALUES,
    stubDomains,
    upstreamNameservers: ["192.0.2.7"],
  });
  assert.equal(
    text.split("\n").slice(stubDomainsLine! - 1).join("\n"),
    "acme.local:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n" +
      "    forward . 192.0.2.1\n}\n\nwidget.local:53 {\n    errors\n    cache 30\n" +
      "    bind 169.254.20.10 10.96.0.10\n    forward . 192.0.2.2:10053 2001:db8::3\n}\n",
  );
  assert.deepEqual(load(supported(text)).forwards.slice(3), [
    [".", "192.0.2.7", false],
    ["acme.local.", "192.0.2.1", false],
    ["widget.local.", "192.0.2.2 2001:db8::3", false],
  ]);
  const alone = fillTemplate("", { ...VALUES, localIps: [], dnsPort: 1053, stubDomains });
  assert.ok(alone.text.startsWith("\nacme.local:1053 {\n    errors\n    cache 30\n    forward "));
  assert.equal(alone.stubDomainsLine, 2);
  assert.equal(fillTemplate("", VALUES).stubDomainsLine, null);
});
