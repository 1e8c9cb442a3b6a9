import assert from "node:assert/strict";
import fc from "fast-check";
import { readInherited } from "../../src/inherit/cluster.ts";
import { compare } from "../../src/inherit/compare.ts";
import { readConfigMaps } from "../../src/inherit/config_maps.ts";
import { applyEdits } from "../../src/inherit/edits.ts";
import { fillTemplate } from "../../src/node/template/template.ts";
import { readConfig } from "../../src/loading/load.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

/** The cluster's names to 10.96.0.11, all others to the upstream servers. */
const NODE = `cluster.local:53 {
    errors
    bind __PILLAR__LOCAL__DNS__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
}
.:53 {
    errors
    bind __PILLAR__LOCAL__DNS__
    forward . __PILLAR__UPSTREAM__SERVERS__
    prometheus :9253
}
`;
const KUBERNETES = "    kubernetes cluster.local in-addr.arpa ip6.arpa\n";
const TAIL = "    forward . /etc/resolv.conf\n    cache 30\n}\n";

/** A root block of CoreDNS with these lines. */
const root = (...lines: string[]) =>
  `.:53 {\n    errors\n${KUBERNETES}${lines.map((line) => `    ${line}\n`).join("")}${TAIL}`;

interface Options {
  readonly node?: string;
  readonly name?: string;
  readonly skip?: string | null;
}

async function bring(
  data: Record<string, string>,
  { node = NODE, name = "coredns", skip = null }: Options = {},
) {
  const map = { kind: "ConfigMap", metadata: { name }, data };
  const inherited = await readInherited(await readConfigMaps(JSON.stringify(map)), { skip });
  const fill = (text: string) =>
    fillTemplate(text, {
      file: "Corefile",
      localIps: ["169.254.20.10"],
      clusterDns: { address: "10.96.0.11" },
      upstreamNameservers: [],
      stubDomains: [],
      domain: "cluster.local",
      metricsEndpoint: ":9253",
      dnsPort: 53,
    }).text;
  const view = fakeHost({ "/etc/resolv.conf": "nameserver 192.0.2.53\n", "/etc/hosts": "" });
  const difference = (text: string) => {
    const source = { text, filled: fill(text), file: "Corefile", view, port: 53 };
    return compare(inherited, { ...source, domain: "cluster.local" });
  };
  const { missing, edits } = difference(node);
  const text = applyEdits(node, edits);
  const again = difference(text);
  assert.deepEqual(again.edits, [], text);
  assert.deepEqual(again.missing, missing.filter(({ left }) => left !== null));
  await readConfig({ file: "Corefile", text: fill(text), defaultPort: 53 }, view);
  const added = text.split("\n").filter((line) => !node.split("\n").includes(line));
  const lines = missing.map(({ where, what, left }) =>
    `${where}: ${what}${left === null ? "" : `; ${left}`}`
  );
  return { lines, added, text, notes: inherited.notes };
}

const CASES: {
  readonly name: string;
  readonly data: Record<string, string>;
  readonly options?: Options;
  readonly lines: readonly string[];
  /** Lines of the node's Corefile that were not there before. */
  readonly added: readonly string[];
}[] = [
  {
    name: "nothing of a Corefile as kubeadm writes it",
    data: { Corefile: root("loadbalance", "prometheus :9153", "ready") },
    lines: [],
    added: [],
  },
  {
    name: "a stub zone, with the options of its forward",
    data: {
      Corefile: root() +
        "acme.local:53 {\n    log\n    forward . 198.51.100.1 198.51.100.2 {\n        policy sequential\n    }\n}\n",
    },
    lines: ["Corefile:7: the zone acme.local (198.51.100.1 198.51.100.2)"],
    added: [
      ...["acme.local:53 {", "    cache 30", "    forward . 198.51.100.1 198.51.100.2 {"],
      "        policy sequential",
    ],
  },
  {
    name: "imported server blocks, and a forward of one zone in an override",
    data: {
      Corefile: root("import custom/*.override") + "import custom/*.server\n",
      "acme.server": "acme.local {\n    forward . 198.51.100.1\n}\n",
      "corp.override": "forward corp.example.org 198.51.100.3\n",
    },
    lines: [
      "acme.server:1: the zone acme.local (198.51.100.1)",
      "corp.override:1: the zone corp.example.org (198.51.100.3)",
    ],
    added: [
      ...["acme.local:53 {", "    cache 30", "    forward . 198.51.100.1"],
      ...["corp.example.org:53 {", "    cache 30", "    forward . 198.51.100.3"],
    ],
  },
  {
    name: "custom parts without their Corefile",
    data: {
      "acme.server": "acme.local {\n    forward . 198.51.100.1\n}\n",
      "log.override": "log\n",
    },
    lines: ["acme.server:1: the zone acme.local (198.51.100.1)"],
    added: ["acme.local:53 {", "    cache 30", "    forward . 198.51.100.1"],
  },
  {
    name: "a zone that only the cluster DNS can answer is asked for there",
    data: { Corefile: root() + "db.example.org {\n    file /etc/coredns/db\n}\n" },
    lines: ["Corefile:7: the zone db.example.org"],
    added: [
      ...["db.example.org:53 {", "    cache 30"],
    ],
  },
  {
    name: "no zone below one that the node asks the cluster DNS for",
    data: { Corefile: root() + "eu.cluster.local {\n    forward . 198.51.100.1\n}\n" },
    lines: [],
    added: [],
  },
  {
    name: "no zone of another port; the port of all names may be any",
    data: {
      Corefile: root().replace(".:53", ".:1053") +
        "a.test:1053 {\n    forward . 198.51.100.1\n}\nb.test:5353 {\n    forward . 198.51.100.2\n}\n",
    },
    lines: ["Corefile:7: the zone a.test (198.51.100.1)"],
    added: ["a.test:53 {", "    cache 30", "    forward . 198.51.100.1"],
  },
  {
    name: "a zone that the node sends to other servers is reported and left",
    data: { Corefile: root() + "acme.local {\n    forward . 198.51.100.1\n}\n" },
    options: { node: `${NODE}acme.local {\n    forward . 198.51.100.9\n}\n` },
    lines: [
      "Corefile:7: the zone acme.local has other servers (198.51.100.1) than on the node; the" +
      " node's Corefile has that zone (198.51.100.9)",
    ],
    added: [],
  },
  {
    name: "rewrites of names outside the cluster, and the way to the cluster's",
    data: {
      Corefile: root(
        "rewrite name legacy.example.org web.shop.svc.cluster.local",
        "rewrite name in.cluster.local web.shop.svc.cluster.local",
        "rewrite name suffix .old.example.org .new.example.org answer auto",
      ),
    },
    lines: [
      'Corefile:4: the rule "rewrite name legacy.example.org web.shop.svc.cluster.local"',
      'Corefile:6: the rule "rewrite name suffix .old.example.org .new.example.org answer auto"',
    ],
    added: [
      "    rewrite name legacy.example.org web.shop.svc.cluster.local",
      "    rewrite name suffix .old.example.org .new.example.org answer auto",
      "    forward cluster.local __PILLAR__CLUSTER__DNS__ {",
    ],
  },
  {
    name: "a rewrite that nodens refuses is left, with its fault",
    data: { Corefile: root("rewrite name") },
    lines: [
      'Corefile:4: the rule "rewrite name"; rewrite: too few arguments (name [TYPE] FROM TO' +
      " [answer ...])",
    ],
    added: [],
  },
  {
    name: "hosts, those of a file in the ConfigMap too, and nothing else of the node's own file",
    data: {
      Corefile: root(
        "hosts /etc/coredns/NodeHosts {",
        "    192.0.2.10 printer.example.org Scanner.example.org",
        "    192.0.2.11 db.cluster.local",
        "    ttl 60",
        "    fallthrough",
        "}",
      ),
      NodeHosts: "192.0.2.21 node-1 # a comment\n\nnonsense\n",
    },
    lines: [
      "NodeHosts:1: the host node-1 (192.0.2.21)",
      "Corefile:5: the host printer.example.org (192.0.2.10)",
      "Corefile:5: the host scanner.example.org (192.0.2.10)",
    ],
    added: [
      "    hosts /etc/hosts node-1 printer.example.org scanner.example.org {",
      "        192.0.2.21 node-1",
      "        192.0.2.10 printer.example.org",
      "        192.0.2.10 scanner.example.org",
      "        ttl 60",
      "        fallthrough",
    ],
  },
  {
    name: "hosts into those of the node",
    data: { Corefile: root("hosts {", "    192.0.2.10 a.test", "    192.0.2.11 b.test", "}") },
    options: {
      node: NODE.replace(
        "    prometheus",
        "    hosts {\n        192.0.2.10 a.test\n        fallthrough\n    }\n    prometheus",
      ),
    },
    lines: ["Corefile:6: the host b.test (192.0.2.11)"],
    added: ["        192.0.2.11 b.test"],
  },
  {
    name: "no hosts into a line without braces",
    data: { Corefile: root("hosts {", "    192.0.2.10 a.test", "}") },
    options: {
      node: NODE.replace("    prometheus", "    hosts /etc/hosts b.test\n    prometheus"),
    },
    lines: [
      "Corefile:5: the host a.test (192.0.2.10); the node's block has a hosts of its own (add it" +
      " there)",
    ],
    added: [],
  },
  {
    name: "upstream servers, with their options, in the place of the node's",
    data: {
      Corefile: root().replace(
        "/etc/resolv.conf",
        "tls://192.0.2.1 {\n        tls_servername dns.example.org\n    }",
      ),
    },
    lines: ["Corefile:4: the upstream servers tls://192.0.2.1 (on the node: /etc/resolv.conf)"],
    added: ["    forward . tls://192.0.2.1 {", "        tls_servername dns.example.org"],
  },
  {
    name: "stub domains and upstream servers of kube-dns's kind",
    data: {
      stubDomains: '{"acme.local": ["198.51.100.1:1053"]}',
      upstreamNameservers: '["192.0.2.1", "192.0.2.2"]',
    },
    lines: [
      "coredns/stubDomains: the zone acme.local (198.51.100.1:1053)",
      "coredns/upstreamNameservers: the upstream servers 192.0.2.1 192.0.2.2 (on the node:" +
      " /etc/resolv.conf)",
    ],
    added: [
      "    forward . 192.0.2.1 192.0.2.2",
      ...["acme.local:53 {", "    cache 30", "    forward . 198.51.100.1:1053"],
    ],
  },
  {
    name: "nothing where the node asks the cluster DNS for every name",
    data: {
      Corefile: root("rewrite name a.test b.test", "hosts {", "    192.0.2.10 a.test", "}") +
        "acme.local {\n    forward . 198.51.100.1\n}\n",
    },
    options: { node: ". {\n    forward . __PILLAR__CLUSTER__DNS__\n}\n" },
    lines: [],
    added: [],
  },
  {
    name: "the domain of Kubernetes tells which block asks the cluster DNS",
    data: {
      Corefile: root("rewrite name a.test web.k8s.test").replace("cluster.local", "k8s.test"),
    },
    options: { node: NODE.replace("cluster.local", "k8s.test") },
    lines: ['Corefile:4: the rule "rewrite name a.test web.k8s.test"'],
    added: [
      "    rewrite name a.test web.k8s.test",
      "    forward k8s.test __PILLAR__CLUSTER__DNS__ {",
    ],
  },
  {
    name: "a node without a block for the cluster's domain asks the cluster DNS for nothing",
    data: {
      Corefile: root() + "acme.local {\n    forward . 198.51.100.1\n}\ndb.test {\n    etcd\n}\n",
    },
    options: { node: NODE.slice(NODE.indexOf(".:53")) },
    lines: [
      "Corefile:7: the zone acme.local (198.51.100.1)",
      "Corefile:10: the zone db.test; only the cluster DNS can answer for it, and no block of the" +
      " node forwards cluster.local to it",
    ],
    added: ["acme.local:53 {", "    cache 30", "    forward . 198.51.100.1"],
  },
  {
    name: "what is for all names is left if the node has no block for them",
    data: { Corefile: root("rewrite name a.test b.test") },
    options: { node: NODE.slice(0, NODE.indexOf(".:53")) },
    lines: [
      'Corefile:4: the rule "rewrite name a.test b.test"; the node\'s Corefile has no block for' +
      " all names",
    ],
    added: [],
  },
];

for (const { name, data, options, lines, added } of CASES) {
  Deno.test(`inherit: ${name}`, async () => {
    const result = await bring(data, options);
    assert.deepEqual(result.lines, lines, result.text);
    assert.deepEqual(result.added, added, result.text);
  });
}

Deno.test("inherit: a new block has the node's addresses, logs errors and counts", async () => {
  const { text } = await bring({ Corefile: root() + "a.test {\n    forward . 198.51.100.1\n}\n" });
  assert.equal(
    text.slice(NODE.length),
    `a.test:53 {
    errors
    bind __PILLAR__LOCAL__DNS__
    prometheus :9253
    cache 30
    forward . 198.51.100.1
}
`,
  );
});

Deno.test("inherit: imports that match nothing are noted, if a Corefile has them", async () => {
  const server = { "acme.server": "acme.local {\n    forward . 198.51.100.1\n}\n" };
  assert.deepEqual((await bring(server)).notes, []);
  const { notes } = await bring({
    ...server,
    Corefile: `${root("import custom/*.override")}import custom/*.server\n`,
  });
  assert.deepEqual(notes, ['Corefile:4: no file matches the import "custom/*.override"']);
});

Deno.test("inherit: what is not compared is noted", async () => {
  const { notes } = await bring({
    Corefile: root("template IN A a.test {", "    rcode NXDOMAIN", "}", "hosts /srv/hosts"),
    "acme.server": "acme.local {\n    forward . 198.51.100.1\n}\n",
  });
  assert.deepEqual(notes, [
    "acme.server is not imported by the Corefile",
    "Corefile:4: template is not compared",
    "Corefile:7: /srv/hosts is not in these ConfigMaps, so its names are left out",
  ]);
  const own = await bring({ stubDomains: '{"a.test": ["192.0.2.1"]}' }, {
    ...{ name: "kube-dns", skip: "kube-dns" },
  });
  const several = await readConfigMaps(
    ["node-local-dns", "coredns"].map((name) =>
      JSON.stringify({
        kind: "ConfigMap",
        metadata: { name },
        data: { Corefile: root(`# ${name}`) },
      })
    ).join("\n---\n"),
  );
  assert.deepEqual((await readInherited(several, { skip: null })).notes, [
    "the Corefile of the ConfigMap node-local-dns is left out: coredns has one",
  ]);
  assert.deepEqual(own.lines, []);
  assert.match(own.notes[0]!, /^the ConfigMap kube-dns is left out: nodens reads it itself/);
});

const REFUSED: [text: string, message: RegExp][] = [
  ["kind: Pod\n", /^there is no ConfigMap in it \(kubectl -n kube-system get configmap coredns/],
  ["", /^there is no ConfigMap in it/],
  ["a: [", /line 1/],
  ["a: &a [*a]\n", /./],
  ["kind: ConfigMap\ndata: {Corefile: '. {'}\n", /^Corefile:1: this block is never closed/],
  [
    "kind: ConfigMap\nmetadata: {name: kube-dns}\ndata: {stubDomains: x}\n",
    /^kube-dns\/stubDomains: it is not JSON: /,
  ],
  ["x".repeat(5 * 2 ** 20), /^5242880 characters are too many/],
  ["[".repeat(100_000), /./],
];

Deno.test("inherit: a file without usable ConfigMaps is refused with the reason", async () => {
  for (const [text, message] of REFUSED) {
    const read = async () => await readInherited(await readConfigMaps(text), { skip: null });
    await assert.rejects(
      read,
      (error) => message.test((error as Error).message),
      text.slice(0, 80),
    );
  }
});

const WORDS = [
  ...["{", "}", "\n", "\n", ".", ".:53", "acme.local", "forward", "hosts", "rewrite", "name", "#"],
  ...['"', "regex", "192.0.2.1", "kubernetes", "cluster.local", "import", "*.server", "/etc/hosts"],
  ...["__PILLAR__CLUSTER__DNS__", "template", "10.0.0.0/8", "(", ")", "a.test"],
];

Deno.test("inherit: strange Corefiles are compared, or refused with a place", async () => {
  const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((all) => all.join(" "));
  const mixed = (whole: string) =>
    fc.oneof(
      text,
      fc.tuple(fc.nat(whole.length), text).map(([at, more]) =>
        `${whole.slice(0, at)} ${more} ${whole.slice(at)}`
      ),
    );
  const cluster = root("hosts {", "    192.0.2.10 a.test", "}", "rewrite name a.test b.test");
  await fc.assert(
    fc.asyncProperty(mixed(cluster), mixed(NODE), text, async (Corefile, node, server) => {
      const data = { Corefile, "a.server": server };
      const map = { kind: "ConfigMap", metadata: { name: "coredns" }, data };
      const view = fakeHost();
      try {
        const inherited = await readInherited(await readConfigMaps(JSON.stringify(map)), {
          skip: null,
        });
        const { edits } = compare(inherited, {
          ...{ text: node, filled: node, file: "Corefile", view, port: 53 },
          domain: "cluster.local",
        });
        applyEdits(node, edits);
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof AggregateError, `${error}`);
      }
    }),
    { numRuns: 1000 },
  );
});
