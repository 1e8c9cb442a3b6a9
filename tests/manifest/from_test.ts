import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { mustRun } from "../../release/command.ts";
import { unifiedDiff } from "../../src/manifest/diff.ts";
import { fillVariables } from "../../src/manifest/fill.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";
import { edit, lineOf, manifest, PUBLISHED } from "./support.ts";

const IMAGE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4";
const NEW_IMAGE = "example.org/n:1";
const FILE = "nodelocaldns.yaml";
const KUBE_DNS = ["-kubedns", "10.96.0.10"];
const VALUES = { localDns: "169.254.20.10", domain: "cluster.local", kubeDns: "10.96.0.10" };

function from(text: string, ...args: string[]) {
  return manifest(["-from", FILE, ...args, "-image", NEW_IMAGE], { [FILE]: text });
}

async function printed(text: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await from(text, ...args);
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  return out;
}

Deno.test({
  name: "-from: fills variables like the documented sed commands",
  ...skipUnless("sed"),
  fn: () =>
    withFolder(async (folder) => {
      const common =
        "s/__PILLAR__LOCAL__DNS__/169.254.20.10/g; s/__PILLAR__DNS__DOMAIN__/cluster.local/g; ";
      const expressions = {
        iptables: `${common}s/__PILLAR__DNS__SERVER__/10.96.0.10/g`,
        ipvs: `${common}s/,__PILLAR__DNS__SERVER__//g; s/__PILLAR__CLUSTER__DNS__/10.96.0.10/g`,
      };
      Deno.writeTextFileSync(`${folder}/${FILE}`, PUBLISHED);
      for (const mode of ["iptables", "ipvs"] as const) {
        const filled = await mustRun("sed", [expressions[mode], `${folder}/${FILE}`]);
        assert.equal(fillVariables(PUBLISHED, { ...VALUES, mode }), filled);
      }
    }),
});

Deno.test("-from: fills the published manifest and changes only its image", async () => {
  for (const mode of ["iptables", "ipvs"] as const) {
    const out = await printed(PUBLISHED, ...KUBE_DNS, "-mode", mode);
    const filled = fillVariables(PUBLISHED, { ...VALUES, mode });
    assert.equal(out, edit(filled, IMAGE, NEW_IMAGE));
    const pod = parseAllDocuments(out).map((one) => one.toJS())
      .find(({ kind }) => kind === "DaemonSet").spec.template.spec;
    assert.equal(pod.containers[0].image, NEW_IMAGE);
    const addresses = mode === "ipvs" ? "169.254.20.10" : "169.254.20.10,10.96.0.10";
    assert.equal(pod.containers[0].args[1], addresses);
  }
});

Deno.test("-from: keeps comments, order, unknown fields, quotes and line ends", async () => {
  const network = "      hostNetwork: true\n";
  let text = edit(PUBLISHED, IMAGE, `"${IMAGE}"  # pinned`);
  text = edit(text, network, `${network}      novelty: {a: 1 ,b: [x]}\n`);
  text = edit(text, "spec:\n  updateStrategy:", "# kept\nspec:\n  updateStrategy:");
  text = text.replaceAll("\n", "\r\n");
  const out = await printed(text, ...KUBE_DNS);
  const kept = edit(out, `"${NEW_IMAGE}"  # pinned`, `"${IMAGE}"  # pinned`);
  const changed = kept.split("\n").filter((line, i) => line !== text.split("\n")[i]);
  for (const line of changed) assert.match(line, /169\.254\.20\.10|cluster\.local/);
  assert.ok(kept.includes("      novelty: {a: 1 ,b: [x]}\r\n"));
  assert.ok(kept.includes("# kept\r\nspec:"));
});

Deno.test("-from: puts an IPv6 address in brackets before a port", async () => {
  const out = await printed(PUBLISHED, "-localdns", "fd00::10", "-kubedns", "fd00:10:96::a");
  assert.ok(out.includes("        health [fd00::10]:8080\n"));
  assert.ok(out.includes("        bind fd00::10 fd00:10:96::a\n"));
  assert.ok(out.includes("            host: fd00::10\n"));
});

Deno.test("-diff: prints a unified diff", async () => {
  const out = await printed(PUBLISHED, ...KUBE_DNS, "-diff");
  assert.ok(out.startsWith(`--- ${FILE}\n+++ ${FILE} (nodens)\n@@ -54,7 +54,7 @@\n`));
  assert.ok(out.includes(`\n-        image: ${IMAGE}\n+        image: ${NEW_IMAGE}\n`));
  assert.ok(out.includes(
    "\n-    __PILLAR__DNS__DOMAIN__:53 {\n+    cluster.local:53 {\n         errors\n",
  ));
  assert.ok(!out.includes("hostNetwork"));
});

Deno.test({
  name: "-diff: patch applies it and gets the output without -diff",
  ...skipUnless("patch"),
  fn: () =>
    withFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/${FILE}`, PUBLISHED);
      Deno.writeTextFileSync(`${folder}/patch`, await printed(PUBLISHED, ...KUBE_DNS, "-diff"));
      await mustRun("patch", ["-s", "-p0", "-i", "patch", FILE], { cwd: folder });
      const whole = await printed(PUBLISHED, ...KUBE_DNS);
      assert.equal(Deno.readTextFileSync(`${folder}/${FILE}`), whole);
    }),
});

Deno.test("unifiedDiff: has hunks with context, and marks a missing final newline", () => {
  const before = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
  const after = ["A", "B", "c", "d", "e", "f", "g", "h", "i", "j", "k", "L"];
  const diff = (one: string[], two: string[]) =>
    unifiedDiff({ name: "1", text: one.join("\n") }, { name: "2", text: two.join("\n") });
  assert.equal(diff(before, before), "");
  assert.equal(
    diff(before, after),
    "--- 1\n+++ 2\n@@ -1,5 +1,5 @@\n-a\n-b\n+A\n+B\n c\n d\n e\n@@ -9,4 +9,4 @@\n i\n j\n k\n" +
      "-l\n\\ No newline at end of file\n+L\n\\ No newline at end of file\n",
  );
});

const ARGS_LINE = lineOf(PUBLISHED, "        args: [");
const IMAGE_LINE = lineOf(PUBLISHED, IMAGE);
const VARIABLES = "__PILLAR__LOCAL__DNS__,__PILLAR__DNS__SERVER__";

/** Invalid manifests, their error, and flags. */
const FAULTS: [text: string, error: string, args?: string[]][] = [
  [
    edit(PUBLISHED, "host: __PILLAR__LOCAL__DNS__", "host: __PILLAR__LOCALDNS__"),
    `${lineOf(PUBLISHED, "host: __")}: there is no variable __PILLAR__LOCALDNS__ (did you` +
    ' mean "__PILLAR__LOCAL__DNS__"?)',
  ],
  [
    edit(PUBLISHED, 'kubernetes.io/name: "KubeDNSUpstream"', "x: __PILLAR__CLUSTER__DNS__"),
    `${
      lineOf(PUBLISHED, "KubeDNSUpstream")
    }: __PILLAR__CLUSTER__DNS__ is not filled (nodens fills` +
    " it in the mounted Corefile alone)",
  ],
  [
    edit(PUBLISHED, '[ "-localip", ', '[ "-localipp", '),
    `${ARGS_LINE}: unknown flag -localipp (did you mean "-localip"?)`,
  ],
  [
    edit(PUBLISHED, VARIABLES, "169.254.20.10;10.96.0.10"),
    `${ARGS_LINE}: flag -localip: "169.254.20.10;10.96.0.10" is not an IP address (write` +
    " 169.254.20.10,10.96.0.10)",
  ],
  [
    PUBLISHED,
    `${ARGS_LINE}: 10.96.0.99 cannot be nodens's own address: it is in the service range,` +
    " by the kube-dns service at 10.96.0.10 (169.254.20.10 is usual)",
    ["-localdns", "10.96.0.99"],
  ],
  [
    PUBLISHED,
    `${ARGS_LINE}: 10.244.0.1 cannot be nodens's own address: it is in the cluster's range` +
    " 10.244.0.0/16 (169.254.20.10 is usual)",
    ["-localdns", "10.244.0.1", "-cluster-range", "10.244.0.0/16"],
  ],
  [
    PUBLISHED.replaceAll("__PILLAR__LOCAL__DNS__", "169.254.20.10"),
    `${ARGS_LINE}: -localip has 169.254.20.10,10.96.0.10, but not 169.254.20.11 (-localdns)`,
    ["-localdns", "169.254.20.11"],
  ],
  [
    PUBLISHED.replaceAll("__PILLAR__DNS__DOMAIN__", "cluster.local"),
    `${lineOf(PUBLISHED, "DOMAIN__:53")}: no server block is for the domain "example.org": this` +
    " one is for cluster.local (names of the cluster would be looked for elsewhere)",
    ["-domain", "example.org"],
  ],
  [
    edit(PUBLISHED, "denial 9984 5", "denyal 9984 5"),
    `${lineOf(PUBLISHED, "denial")}: cache: unknown option "denyal" (did you mean "denial"?)`,
  ],
  [
    edit(PUBLISHED, `        image: ${IMAGE}\n`, ""),
    `${IMAGE_LINE - 1}: the container "node-cache" has no image`,
  ],
  [
    edit(PUBLISHED, "        args: [", '        command: ["/node-cache"]\n        args: ['),
    `${ARGS_LINE}: nodens's image has no "/node-cache" (remove "command": the image runs nodens)`,
  ],
  [
    edit(PUBLISHED, `image: ${IMAGE}\n`, `image: >-\n          ${IMAGE}\n`),
    `${IMAGE_LINE}: the image takes several lines (write it on one)`,
  ],
  [
    PUBLISHED.replaceAll("__PILLAR__DNS__SERVER__", "10.0.0.10"),
    `${ARGS_LINE}: -localip has 10.0.0.10 for a service, but not 10.96.0.10 (-kubedns)`,
  ],
  [
    "kind: ConfigMap\n",
    "1: no DaemonSet has a container whose image is node-cache (there are none at all), so" +
    " there is no image to change",
  ],
  [
    "kind: DaemonSet\nspec:\n  template:\n    spec:\n      containers:\n" +
    "      - {name: one, image: a}\n      - {name: two, image: b}\n",
    "1: no DaemonSet has a container whose image is node-cache (there are one, two), so" +
    " there is no image to change",
  ],
];

Deno.test("-from: a manifest that cannot be filled is reported, not printed", async () => {
  for (const [text, error, args = []] of FAULTS) {
    const { code, out, err } = await from(text, ...KUBE_DNS, ...args);
    assert.equal(err, `${FILE}:${error}\n`);
    assert.deepEqual({ code, out }, { code: 1, out: "" });
  }
});

Deno.test("-from: without -kubedns, every line that needs it is reported", async () => {
  const { code, out, err } = await from(PUBLISHED);
  const lines = PUBLISHED.split("\n").flatMap((line, i) =>
    line.includes("__PILLAR__DNS__SERVER__") ? [`${i + 1}`] : []
  );
  // nodens would fill the Corefile's, but not listen on that address.
  assert.deepEqual(err.trim().split("\n").map((line) => line.split(":")[1]), lines.slice(-1));
  assert.match(err, /give -kubedns ADDRESS, that of the kube-dns service/);
  assert.deepEqual({ code, out }, { code: 1, out: "" });
});

Deno.test("-from: invalid YAML and a missing file are reported", async () => {
  const { code, err } = await from("a: [\n", ...KUBE_DNS);
  assert.equal(code, 1);
  assert.match(err, /^nodelocaldns\.yaml:2: Flow sequence /);
  assert.deepEqual(await manifest(["-from", "nowhere.yaml", ...KUBE_DNS]), {
    code: 1,
    out: "",
    err: 'nodens manifest: cannot read "nowhere.yaml": there is no such file\n',
  });
});

Deno.test("-from leaves the address of metrics for nodens to fill", async () => {
  const text = PUBLISHED.replaceAll("prometheus :9253", "prometheus __PROMETHEUS__ENDPOINT__");
  const args = ["-from", "m.yaml", "-kubedns", "10.96.0.10", "-image", "example.org/nodens:1"];
  const { code, out, err } = await manifest(args, { "m.yaml": text });
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  assert.equal(out.split("prometheus __PROMETHEUS__ENDPOINT__\n").length, 5);
});
