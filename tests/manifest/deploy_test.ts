/** Holds the chart and the Kustomize base to what `nodens manifest` prints. */
import assert from "node:assert/strict";
import { Ajv } from "ajv";
import { parse, parseAllDocuments } from "yaml";
import { VERSION } from "../../src/cli/version.ts";
import { missing, skipFor, skipUnless } from "../support/net_require.ts";
import { manifest } from "./support.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const CHART = `${ROOT}deploy/helm/nodens`;
const BASE = `${ROOT}deploy/kustomize/base`;
/** Where Debian has Go libraries; Helm itself is not to be had there. */
const GO_PATH = "/usr/share/gocode";

type Json = Record<string, unknown>;
const DEFAULTS = parse(Deno.readTextFileSync(`${CHART}/values.yaml`)) as Json;
const SCHEMA = JSON.parse(Deno.readTextFileSync(`${CHART}/values.schema.json`));

const SPRIG = `${GO_PATH}/src/github.com/Masterminds/sprig`;
const needsHelm = skipFor([
  ...missing(["go"]),
  // One of its files: `have` looks for files.
  ...missing([`${SPRIG}/functions.go`]),
]);

/** The same manifest in flags of the command and in values of the chart. */
const CASES: { name: string; args: string[]; values: Json }[] = [
  { name: "defaults", args: [], values: {} },
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
];

function objects(text: string): Json[] {
  const key = ({ kind, metadata }: Json) => {
    const { namespace, name } = metadata as Json;
    return `${kind} ${namespace} ${name}`;
  };
  return parseAllDocuments(text).map((one) => {
    assert.deepEqual(one.errors, []);
    return one.toJS() as Json;
  }).filter((one) => one !== null).sort((a, b) => key(a) < key(b) ? -1 : 1);
}

function withDefaults(values: Json): Json {
  return { ...structuredClone(DEFAULTS), kubeDns: "10.96.0.10", ...values };
}

async function renderChart(values: Json, namespace = "kube-system") {
  const chart = parse(Deno.readTextFileSync(`${CHART}/Chart.yaml`));
  const child = new Deno.Command("go", {
    args: ["run", `${ROOT}tests/support/helm_template.go`, CHART],
    env: {
      GO111MODULE: "off",
      GOPATH: GO_PATH,
      // Where there is no home to keep compiled files in.
      ...Deno.env.has("HOME") ? {} : { GOCACHE: `${Deno.env.get("TMPDIR") ?? "/tmp"}/go-build` },
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify({
    Values: values,
    Release: { Namespace: namespace, Name: "nodens" },
    Chart: { AppVersion: chart.appVersion, Version: chart.version },
  })));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

for (const { name, args, values } of CASES) {
  Deno.test({
    name: `the chart renders what the command prints: ${name}`,
    ...needsHelm,
    async fn() {
      const { code, out, err } = await renderChart(withDefaults(values));
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      const command = await manifest(["-kubedns", "10.96.0.10", ...args]);
      assert.deepEqual(objects(out), objects(command.out));
    },
  });
}

Deno.test({
  name: "the chart takes a Corefile of one's own, and no namespace but kube-system",
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

Deno.test("the Kustomize base is what the command prints", async () => {
  const { out } = await manifest(["-kubedns", "10.96.0.10"]);
  const path = `${BASE}/nodens.yaml`;
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(path, out);
  const why = "make it anew: deno run -A main.ts manifest -kubedns 10.96.0.10 > " +
    "deploy/kustomize/base/nodens.yaml";
  assert.equal(Deno.readTextFileSync(path), out, why);
});

Deno.test({
  name: "kubectl builds the base, and changes the image in it",
  ...skipUnless("kubectl"),
  async fn() {
    const build = async (folder: string) => {
      const { success, stdout, stderr } = await new Deno.Command("kubectl", {
        args: ["kustomize", folder],
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return objects(new TextDecoder().decode(stdout));
    };
    const { out } = await manifest(["-kubedns", "10.96.0.10"]);
    assert.deepEqual(await build(BASE), objects(out));
    const folder = Deno.makeTempDirSync();
    try {
      Deno.copyFileSync(`${BASE}/nodens.yaml`, `${folder}/nodens.yaml`);
      const images = "images:\n- {name: nodens-node, newName: example.org/nodens, newTag: '7'}\n";
      Deno.writeTextFileSync(
        `${folder}/kustomization.yaml`,
        `resources:\n- nodens.yaml\n${images}`,
      );
      const other = await manifest(["-kubedns", "10.96.0.10", "-image", "example.org/nodens:7"]);
      assert.deepEqual(await build(folder), objects(other.out));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("the chart has the version of nodens", () => {
  const { version, appVersion } = parse(Deno.readTextFileSync(`${CHART}/Chart.yaml`));
  assert.deepEqual({ version, appVersion }, { version: VERSION, appVersion: VERSION });
});

Deno.test("the schema describes every value, and takes what the chart takes", () => {
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
  ];
  for (const values of refused) {
    assert.ok(!isValid(withDefaults(values)), JSON.stringify(values));
  }
});

Deno.test("the page for Kubernetes has every flag and every value", async () => {
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
