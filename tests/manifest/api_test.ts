/** Validates the manifests by the Kubernetes API's schemas; unknown members are faults. */
import assert from "node:assert/strict";
import { objects } from "./chart.ts";
import { apiFaults } from "./kubernetes_api.ts";
import { CASES, manifest, PUBLISHED } from "./support.ts";

for (const [name, args] of Object.entries(CASES)) {
  Deno.test(`Kubernetes API: accepts every object, ${name}`, async () => {
    const all = objects((await manifest(args)).out);
    assert.ok(all.length >= 5);
    assert.deepEqual(all.flatMap(apiFaults), []);
  });
}

Deno.test("Kubernetes API: reports faults of an object at any depth", async () => {
  const { out } = await manifest(["-kubedns", "10.96.0.10", "-pod-monitor"]);
  const rows: [from: string, to: string, fault: RegExp][] = [
    [
      "maxUnavailable: 0",
      "maxUnavailible: 0",
      /updateStrategy\/rollingUpdate\/maxUnavailible: there/,
    ],
    ["hostNetwork: true", "hostNetwerk: true", /spec\/template\/spec\/hostNetwerk: there is no/],
    [
      "allowPrivilegeEscalation",
      "allowPrivilegEscalation",
      /containers\/0\/securityContext\/allow/,
    ],
    ["minReadySeconds: 10", "minReadySeconds: ten", /\/spec\/minReadySeconds must be integer/],
    ["clusterIP: None", "clusterIP: 7", /\/spec\/clusterIP must be string/],
    ["sizeLimit: 8Mi", "sizeLimit: [8Mi]", /\/volumes\/3\/emptyDir\/sizeLimit must /],
    [
      "targetLabel: node",
      "targetLable: node",
      /podMetricsEndpoints\/0\/relabelings\/2\/targetLable/,
    ],
    ["kind: PodMonitor", "kind: PodMonitors", /PodMonitors: there is no such kind/],
    ["              add:", "              adds:", /capabilities\/adds: there is no such member/],
  ];
  assert.deepEqual(objects(out).flatMap(apiFaults), []);
  for (const [from, to, fault] of rows) {
    assert.equal(out.split(from).length, 2, from);
    const faults = objects(out.replace(from, to)).flatMap(apiFaults);
    assert.equal(faults.length, 1, `${to}: ${faults.join("\n")}`);
    assert.match(faults[0]!, fault);
  }
});

Deno.test("Kubernetes API: accepts the filled published manifest", async () => {
  const { out } = await manifest(
    ["-from", "m.yaml", "-kubedns", "10.96.0.10", "-image", "example.org/nodens:1"],
    { "m.yaml": PUBLISHED },
  );
  assert.deepEqual(objects(out).flatMap(apiFaults), []);
});
