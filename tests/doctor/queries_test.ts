import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import { type CorefileFacts, judgeCorefile } from "../../src/doctor/judge/corefile.ts";
import { answerOf } from "../../src/doctor/probe/queries.ts";
import {
  type Answer,
  type Asked,
  checkOf,
  judgePod,
  judgeQueries,
  type PodFacts,
  type QueryFacts,
} from "../../src/doctor/judge/queries.ts";
import { type Name, planTargets, type Target } from "../../src/doctor/judge/targets.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { testFindings, testJudge } from "../support/doubles/finding_table.ts";
import "../support/engine/all_plugins.ts";

const CLUSTER = "kubernetes.default.svc.cluster.local";
const OUTSIDE = "example.org";
const GOOD: Answer = { rcode: "NOERROR", ms: 0.42 };
const SILENT: Answer = { failure: "timed out" };
const code = (rcode: string): Answer => ({ rcode, ms: 3 });

const NAMES: Name[] = [
  { what: "cluster", name: CLUSTER },
  { what: "outside", name: OUTSIDE },
];
const LISTENER: Target = {
  ...{ role: "listener", address: "169.254.20.10", port: 53 },
  ...{ transports: ["UDP", "TCP"], names: NAMES },
};

/** Answers over UDP and TCP: of the cluster's name, then of the other. */
function asked(...[a, b, c, d]: Answer[]): Asked[] {
  const one = (what: Asked["what"], transport: Asked["transport"], answer: Answer | undefined) =>
    answer === undefined
      ? []
      : [{ what, name: what === "cluster" ? CLUSTER : OUTSIDE, transport, answer }];
  return [
    ...one("cluster", "UDP", a),
    ...one("cluster", "TCP", b),
    ...one("outside", "UDP", c),
    ...one("outside", "TCP", d),
  ];
}

const FACTS: QueryFacts = {
  target: LISTENER,
  asked: asked(GOOD, GOOD, GOOD, GOOD),
  running: "nodens",
  holder: "nodens 0.1.0 (process 7)",
};
const UPSTREAM: QueryFacts = {
  ...FACTS,
  target: { ...LISTENER, role: "upstream", address: "fd00::a" },
  holder: null,
};

testJudge("queries", FACTS, judgeQueries, [
  {
    name: "all answered",
    ok: `cluster name ${CLUSTER}: UDP 0.4 ms, TCP 0.4 ms; outside name ${OUTSIDE}: UDP 0.4 ms,` +
      " TCP 0.4 ms; nodens 0.1.0 (process 7) listens there",
  },
  {
    name: "no TCP",
    facts: { asked: asked(GOOD, SILENT, GOOD, SILENT) },
    problem: [
      /UDP 0\.4 ms, TCP timed out; /,
      "UDP is answered and TCP is not: see whether a firewall lets TCP port 53 through",
    ],
  },
  {
    name: "no UDP",
    facts: { asked: asked(SILENT, GOOD, SILENT, GOOD) },
    problem: [/./, /^TCP is answered and UDP is not/],
  },
  {
    name: "no listener any more",
    facts: { asked: asked(SILENT, SILENT, SILENT, SILENT), holder: null },
    problem: [/./, /^nobody listens there/],
  },
  {
    name: "before the start",
    facts: { asked: asked(SILENT, SILENT), running: "nobody", holder: null },
    skipped: /nobody serves there yet/,
  },
  {
    name: "no answer, with invisible sockets",
    facts: { asked: asked(SILENT, SILENT), running: "unseen", holder: null },
    skipped: /^nobody answers there/,
  },
  {
    name: "before the start, with kube-dns at that address",
    facts: { running: "nobody", holder: null },
    ok: /; no socket of this node is there, so it comes from elsewhere$/,
  },
  {
    name: "SERVFAIL",
    facts: { asked: asked(GOOD, GOOD, code("SERVFAIL"), code("SERVFAIL")) },
    problem: [/UDP SERVFAIL in 3\.0 ms/, "see how its upstreams answer, below, and nodens status"],
  },
  {
    name: "REFUSED",
    facts: { asked: asked(code("REFUSED")) },
    problem: [/./, /acl in the Corefile$/],
  },
  {
    name: "another domain",
    facts: { asked: asked(code("NXDOMAIN"), code("NXDOMAIN"), GOOD, GOOD) },
    problem: [/./, /see the cluster's domain \(-domain/],
  },
  {
    name: "no such name outside",
    facts: { asked: asked(GOOD, GOOD, code("NXDOMAIN"), code("NXDOMAIN")) },
    warning: [/./, "name one that exists with --outside NAME"],
  },
  {
    name: "a silent upstream",
    facts: { ...UPSTREAM, asked: asked(SILENT, SILENT) },
    problem: [/./, /^see whether that server runs/],
  },
  {
    name: "a failing upstream",
    facts: { ...UPSTREAM, asked: asked(code("SERVFAIL"), code("SERVFAIL")) },
    problem: [/./, "that server cannot resolve the name: find out why there"],
  },
  {
    name: "kube-dns without endpoints",
    facts: { ...UPSTREAM, target: { ...LISTENER, role: "cluster" }, asked: asked(SILENT, SILENT) },
    problem: [/./, /^see whether kube-dns has endpoints/],
  },
  { name: "nothing to query", facts: { asked: [] }, skipped: /./ },
]);

Deno.test("checkOf: the id contains role and address", () => {
  assert.equal(checkOf(FACTS.target).id, "listener:169.254.20.10:53");
  assert.deepEqual(checkOf(UPSTREAM.target), {
    id: "upstream:[fd00::a]:53",
    title: "Ask upstream [fd00::a]:53",
  });
});

const GATEWAY: PodFacts = {
  ...{ how: "gateway", from: "10.244.0.1 (cni0)", server: "10.96.0.10:53" },
  asked: asked(GOOD),
};
const NAMESPACE: PodFacts = {
  ...{ how: "namespace", from: "a namespace beside the node", server: "10.96.0.10:53" },
  asked: asked(GOOD),
};

testFindings("pod", [
  {
    name: "over the host's path",
    facts: GATEWAY,
    ok: /^from 10\.244\.0\.1 \(cni0\) to 10\.96\.0\.10:53: .*--pod/,
  },
  {
    name: "over a pod's path",
    facts: NAMESPACE,
    ok: `from a namespace beside the node to 10.96.0.10:53: cluster name ${CLUSTER}: UDP 0.4 ms`,
  },
  {
    name: "no answer for pods",
    facts: { ...NAMESPACE, asked: asked(SILENT) },
    problem: [/./, /PREROUTING, network policies of the CNI.*rp_filter/],
  },
  {
    name: "a wrong answer",
    facts: { ...GATEWAY, asked: asked(code("SERVFAIL")) },
    warning: [/./, /^replies arrive, so the path is open/],
  },
  {
    name: "no namespace",
    facts: { how: "failed", why: "there is no command ip" } as PodFacts,
    problem: ["there is no command ip", /iproute2/],
  },
  {
    name: "no address to query from",
    facts: { how: "none", why: "no bridge" } as PodFacts,
    skipped: "no bridge",
  },
], ({ facts }) => judgePod(facts, "nodens"));

Deno.test("answerOf: reads the output of nodens query", () => {
  const text = ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n;; Query time: 2 msec\n";
  assert.deepEqual(answerOf(text), { rcode: "NOERROR", ms: 2 });
  assert.deepEqual(answerOf(";; no servers could be reached"), { failure: "no answer" });
});

const COREFILE = `cluster.local sub.example.org {
    bind 169.254.20.10 fd00::10
    forward . 10.96.0.11 {
        force_tcp
    }
}
. {
    bind 169.254.20.10 fd00::10
    forward . 192.0.2.1 tls://192.0.2.2
    forward example.com 192.0.2.3
}
.:5300 {
    whoami
}
`;

Deno.test("planTargets: finds servers in the Corefile", () => {
  const source = { file: "Corefile", text: COREFILE, defaultPort: 53 };
  const { config } = loadConfig(source, fakeHost());
  const targets = planTargets({
    config,
    names: NAMES,
    clusterDns: ["10.96.0.10", "169.254.20.10"],
    standIns: ["192.0.2.9"],
  });
  const lines = targets.map(({ role, address, port, transports, names }) =>
    `${role} ${address} ${port} ${transports.join("+")} ${names.map(({ what }) => what).join("+")}`
  );
  assert.deepEqual(lines, [
    "listener 169.254.20.10 53 UDP+TCP cluster+outside",
    "listener fd00::10 53 UDP+TCP cluster+outside",
    "listener 127.0.0.1 5300 UDP+TCP cluster+outside",
    "cluster 10.96.0.10 53 UDP+TCP cluster+outside",
    "upstream 10.96.0.11 53 TCP cluster",
    "upstream 192.0.2.1 53 UDP+TCP outside",
  ]);
  const without = planTargets({ config, names: NAMES, clusterDns: [], standIns: ["10.96.0.11"] });
  assert.ok(!without.some(({ address }) => address === "10.96.0.11"));
  assert.deepEqual(planTargets({ config: null, names: NAMES, clusterDns: [] }), []);
});

const { config: CONFIG } = loadConfig(
  { file: "Corefile", text: "example.org {\n    whoami\n}\n", defaultPort: 53 },
  fakeHost(),
);
const COREFILE_FACTS: CorefileFacts = {
  ...{ source: "Corefile", faults: [], warnings: [], config: CONFIG, served: null },
};
const { config: BOUND } = loadConfig(
  {
    file: "Corefile",
    text: ". {\n    bind 169.254.20.10 192.0.2.1\n    whoami\n}\n",
    defaultPort: 53,
  },
  fakeHost(),
);

testJudge(
  "corefile",
  COREFILE_FACTS,
  (facts) => judgeCorefile(facts, ["169.254.20.10", "fd00::10"]),
  [
    { name: "good", ok: "Corefile: 1 server block, listening on all addresses" },
    {
      name: "faults",
      facts: { faults: Array.from({ length: 12 }, (_, i) => `Corefile:${i}: no`) },
      problem: /^Corefile:\nCorefile:0: no\n(.*\n){9}and 2 more$/,
    },
    {
      name: "an address without a server block",
      facts: { config: BOUND },
      problem: [
        /no server block listens at fd00::10, which -localip names$/,
        /^write "bind fd00::10" in the blocks/,
      ],
    },
    {
      name: "warnings",
      facts: { warnings: ["Corefile:2: strange"] },
      warning: /\nCorefile:2: strange$/,
    },
  ],
);
