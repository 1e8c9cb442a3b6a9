import assert from "node:assert/strict";
import { replicaAddresses } from "../support/namespaces/rig/addresses.ts";
import { dnsperfArguments, dnsperfInput, parseDnsperf } from "../support/namespaces/rig/dnsperf.ts";
import { serviceRules } from "../support/namespaces/rig/service_rules.ts";

Deno.test("serviceRules: three endpoints get a third of the queries each", () => {
  const rules = serviceRules("v4", [0, 1, 2].map(replicaAddresses)).split("\n");
  assert.deepEqual(rules.filter((rule) => rule.startsWith("-A KUBE-SVC-DNS-UDP")), [
    "-A KUBE-SVC-DNS-UDP ! -s 10.244.0.0/16 -d 10.96.0.10 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ",
    "-A KUBE-SVC-DNS-UDP -m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-0-UDP",
    "-A KUBE-SVC-DNS-UDP -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-1-UDP",
    "-A KUBE-SVC-DNS-UDP -j KUBE-SEP-2-UDP",
  ]);
  assert.equal(rules.filter((rule) => rule.includes("-j DNAT")).length, 6);
  assert.ok(!rules.some((rule) => rule.includes("REJECT")));
});

Deno.test("serviceRules: services without endpoints refuse", () => {
  const rules = serviceRules("v6", []).split("\n");
  const refused = rules.filter((rule) => rule.endsWith("-j REJECT"));
  assert.equal(refused.length, 4, "two services, two transports");
  assert.match(refused[0]!, /^-A KUBE-SERVICES -d fd00:10:96::a -p udp /);
  assert.ok(!rules.some((rule) => rule.includes("DNAT")));
});

Deno.test("parseDnsperf: reads the output of dnsperf", () => {
  const text = `Statistics:

  Queries sent:         200
  Queries completed:    198 (99.00%)
  Queries lost:         2 (1.00%)

  Response codes:       NOERROR 150 (75.76%), NXDOMAIN 48 (24.24%)
  Average Latency (s):  0.002500 (min 0.000030, max 0.000868)
`;
  assert.deepEqual(parseDnsperf(text), {
    ...{ sent: 200, completed: 198, lost: 2, averageLatency: 2.5, text },
    rcodes: { NOERROR: 150, NXDOMAIN: 48 },
  });
  assert.throws(() => parseDnsperf("usage"), /Cannot read dnsperf: no "Queries sent" in it\nusage/);
  assert.equal(
    dnsperfInput(["a.example.org", "b.example.org TXT"]),
    "a.example.org A\nb.example.org TXT\n",
  );
  const options = { server: "::1", qps: 10, seconds: 2, names: ["a.example.org"], tcp: true };
  assert.equal(
    dnsperfArguments(options, "file").join(" "),
    "-s ::1 -p 53 -f inet6 -m tcp -d file -l 2 -Q 10 -t 2 -c 1",
  );
});
