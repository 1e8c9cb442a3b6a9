/** Compares the chart and the Kustomize base with the output of `nodens manifest`. */
import assert from "node:assert/strict";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { VERSION } from "../../src/cli/version.ts";
import { mustRun } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";
import {
  CHART,
  DEFAULTS,
  type Json,
  needsHelm,
  objects,
  renderChart,
  withDefaults,
} from "./chart.ts";
import { apiFaults } from "./kubernetes_api.ts";
import { manifest } from "./support.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const BASE = `${ROOT}deploy/kustomize/base`;
const SCHEMA = JSON.parse(Deno.readTextFileSync(`${CHART}/values.schema.json`));

/** The same manifest in the command's flags and the chart's values. */
const CASES: { name: string; args: string[]; values: Json }[] = [
  { name: "defaults", args: [], values: {} },
  { name: "plain", args: ["-plain"], values: { plain: true } },
  { name: "ipvs", args: ["-mode", "ipvs"], values: { mode: "ipvs" } },
  {
    name: "redirect",
    args: ["-mode", "redirect", "-domain", "example.org", "-localdns", "169.254.20.11"],
    values: { mode: "redirect", domain: "example.org", localDns: "169.254.20.11" },
  },
  ...["iptables", "ipvs", "redirect"].map((mode) => ({
    name: `dual stack, ${mode}`,
    args: ["-mode", mode, "-dual-stack", "fd00::10,fd00:96::a"],
    values: { mode, dualStack: { localDns: "fd00::10", kubeDns: "fd00:96::a" } },
  })),
  {
    name: "IPv6",
    args: ["-localdns", "fd00::10", "-kubedns", "fd00:96::a"],
    values: { localDns: "fd00::10", kubeDns: "fd00:96::a" },
  },
  {
    name: "extras",
    args: [
      ...["-image", "registry.example.org:5000/nodens@sha256:00", "-memory", "1G"],
      ...["-pod-monitor", "-network-policy", "default,shop"],
    ],
    values: {
      image: "registry.example.org:5000/nodens@sha256:00",
      memory: "1G",
      podMonitor: true,
      networkPolicy: { namespaces: ["default", "shop"] },
    },
  },
  {
    name: "clients",
    args: ["-clients", "kubelet", "-mode", "redirect"],
    values: { clients: "kubelet", mode: "redirect" },
  },
  {
    name: "hits in the kernel",
    args: ["-kernel-hits", "auto"],
    values: { kernelHits: "auto" },
  },
  {
    name: "hits in the kernel of two interfaces",
    args: ["-kernel-hits", "lo,cni0"],
    values: { kernelHits: "lo,cni0" },
  },
  {
    name: "clients before Kubernetes 1.33",
    args: ["-clients", "kubelet-before-1.33"],
    values: { clients: "kubelet-before-1.33" },
  },
];

for (const { name, args, values } of CASES) {
  Deno.test({
    name: `chart: renders the command's output, ${name}`,
    ...needsHelm,
    async fn() {
      const { code, out, err } = await renderChart(withDefaults(values));
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      const command = await manifest(["-kubedns", "10.96.0.10", ...args]);
      assert.deepEqual(objects(out), objects(command.out));
      assert.deepEqual(objects(out).flatMap(apiFaults), []);
    },
  });
}

Deno.test({
  name: "chart: accepts another Corefile, and only the namespace kube-system",
  ...needsHelm,
  async fn() {
    const corefile = ".:53 {\n    whoami\n}\n";
    const { out } = await renderChart(withDefaults({ corefile }));
    const configMap = objects(out).find(({ kind }) => kind === "ConfigMap");
    assert.deepEqual(configMap?.data, { Corefile: corefile });
    const { code, err } = await renderChart(withDefaults({}), "default");
    assert.notEqual(code, 0);
    assert.match(err, /install this chart into kube-system, where kube-dns is/);
  },
});

Deno.test({
  name: "chart: further values appear in the fields that Kubernetes reads",
  ...needsHelm,
  async fn() {
    const values = {
      imagePullSecrets: [{ name: "registry" }],
      pullPolicy: "Always",
      resources: { requests: { cpu: "100m", memory: "128Mi" } },
      nodeSelector: { "kubernetes.io/os": "linux", pool: "web" },
      tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
      affinity: { nodeAffinity: {} },
      annotations: { "example.org/owner": "dns: <team> & 'co'" },
      podAnnotations: { "example.org/on": "true", "prometheus.io/scrape": "false" },
      extraArgs: ["-log-format", "json"],
      extraVolumes: [{ name: "hosts", hostPath: { path: "/etc/block" } }],
      extraVolumeMounts: [{ name: "hosts", mountPath: "/etc/block", readOnly: true }],
    };
    assert.ok(new Ajv({ strict: false }).compile(SCHEMA)(withDefaults(values)));
    const { code, out, err } = await renderChart(withDefaults(values));
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    // deno-lint-ignore no-explicit-any
    const find = (text: string): any => objects(text).find(({ kind }) => kind === "DaemonSet");
    const expected = find((await manifest(["-kubedns", "10.96.0.10"])).out);
    const { metadata, spec: { template } } = expected;
    const [container] = template.spec.containers;
    metadata.annotations = values.annotations;
    Object.assign(template.metadata.annotations, values.podAnnotations);
    const { imagePullSecrets, nodeSelector, tolerations, affinity } = values;
    Object.assign(template.spec, { imagePullSecrets, nodeSelector, tolerations, affinity });
    container.imagePullPolicy = values.pullPolicy;
    container.resources.requests = values.resources.requests;
    container.args.push(...values.extraArgs);
    container.volumeMounts.push(...values.extraVolumeMounts);
    template.spec.volumes.push(...values.extraVolumes);
    assert.deepEqual(find(out), expected);
    assert.deepEqual(apiFaults(expected), []);
  },
});

Deno.test({
  name: "chart: adds alert rules and dashboard on request",
  ...needsHelm,
  async fn() {
    const runbook = "https://docs.example.org/nodens/operations";
    const labels = { release: "monitoring" };
    const { out } = await renderChart(withDefaults({
      prometheusRule: { enabled: true, labels, runbook },
      dashboard: { enabled: true, labels: { grafana_dashboard: "1" } },
    }));
    // deno-lint-ignore no-explicit-any
    const all: any[] = objects(out);
    assert.deepEqual(all.flatMap(apiFaults), []);
    const rule = all.find(({ kind }) => kind === "PrometheusRule");
    assert.deepEqual(rule.metadata.labels, { "k8s-app": "node-local-dns", ...labels });
    const rules = Deno.readTextFileSync(`${ROOT}deploy/prometheus/nodens.rules.yml`);
    assert.deepEqual(rule.spec, parse(rules.replaceAll("docs/operations.md#", `${runbook}#`)));
    const dashboard = all.find(({ metadata }) => metadata.name === "node-local-dns-dashboard");
    assert.equal(dashboard.metadata.labels.grafana_dashboard, "1");
    const json = Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`);
    assert.deepEqual(JSON.parse(dashboard.data["nodens.json"]), JSON.parse(json));
  },
});

Deno.test("chart: rules and dashboard equal those in deploy", () => {
  for (const [folder, name] of [["prometheus", "nodens.rules.yml"], ["grafana", "nodens.json"]]) {
    const text = Deno.readTextFileSync(`${ROOT}deploy/${folder}/${name}`);
    const copy = `${CHART}/files/${name}`;
    if (Deno.args.includes("--update")) Deno.writeTextFileSync(copy, text);
    assert.equal(Deno.readTextFileSync(copy), text, `copy deploy/${folder}/${name} to ${copy}`);
  }
});

Deno.test("Kustomize: the base equals the command's output", async () => {
  const { out } = await manifest(["-kubedns", "10.96.0.10"]);
  const path = `${BASE}/nodens.yaml`;
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(path, out);
  const why = "make it again: deno run -A main.ts manifest -kubedns 10.96.0.10 > " +
    "deploy/kustomize/base/nodens.yaml";
  assert.equal(Deno.readTextFileSync(path), out, why);
});

Deno.test({
  name: "Kustomize: kubectl builds the base, and changes its image",
  ...skipUnless("kubectl"),
  async fn() {
    const build = async (folder: string) =>
      objects(await mustRun("kubectl", ["kustomize", folder]));
    const { out } = await manifest(["-kubedns", "10.96.0.10"]);
    assert.deepEqual(await build(BASE), objects(out));
    await withFolder(async (folder) => {
      Deno.copyFileSync(`${BASE}/nodens.yaml`, `${folder}/nodens.yaml`);
      const images = "images:\n- {name: nodens-node, newName: example.org/nodens, newTag: '7'}\n";
      Deno.writeTextFileSync(
        `${folder}/kustomization.yaml`,
        `resources:\n- nodens.yaml\n${images}`,
      );
      const other = await manifest(["-kubedns", "10.96.0.10", "-image", "example.org/nodens:7"]);
      assert.deepEqual(await build(folder), objects(other.out));
    });
  },
});

Deno.test("chart: has the version of nodens", () => {
  const { version, appVersion } = parse(Deno.readTextFileSync(`${CHART}/Chart.yaml`));
  assert.deepEqual({ version, appVersion }, { version: VERSION, appVersion: VERSION });
});

Deno.test("chart: the schema describes every value, and accepts the defaults", () => {
  const { global: _, ...properties } = SCHEMA.properties;
  assert.deepEqual(Object.keys(properties).sort(), Object.keys(DEFAULTS).sort());
  const isValid = new Ajv({ strict: false }).compile(SCHEMA);
  for (const { name, values } of CASES) {
    assert.ok(isValid(withDefaults(values)), `${name}: ${JSON.stringify(isValid.errors)}`);
  }
  const refused: Json[] = [
    { kubeDns: "" },
    { kubeDns: "kube-dns" },
    { localDns: "169.254.20.10/32" },
    { mode: "nftables" },
    { memory: 192 },
    { memory: "192MB" },
    { domain: "cluster.local." },
    { podMonitor: "yes" },
    { image: "two words" },
    { dualStack: { localDns: "fd00::10", kubeDns: "" } },
    { networkPolicy: { namespaces: ["Shop"] } },
    { networkPolicies: [] },
    { pullPolicy: "Sometimes" },
    { imagePullSecrets: ["registry"] },
    { extraArgs: "-log-format json" },
    { extraVolumeMounts: [{ name: "hosts" }] },
    { podAnnotations: { on: true } },
    { prometheusRule: { enable: true } },
    { clients: "off" },
    { kernelHits: "eth0:1" },
  ];
  for (const values of refused) {
    assert.ok(!isValid(withDefaults(values)), JSON.stringify(values));
  }
});

Deno.test("docs/kubernetes.md: documents every flag and every value", async () => {
  const page = Deno.readTextFileSync(`${ROOT}docs/kubernetes.md`);
  const { out } = await manifest(["-h"]);
  const flags = [...out.matchAll(/^ {2}(-[a-z-]+)/gm)].map(([, flag]) => flag!);
  assert.ok(flags.length > 10);
  for (const flag of flags.filter((flag) => flag !== "-h")) {
    assert.ok(page.includes(`\`${flag}\``), `${flag} is missing`);
  }
  for (const value of Object.keys(DEFAULTS)) {
    assert.match(page, new RegExp(`\`${value}[\`.]`), `${value} is missing`);
  }
});
