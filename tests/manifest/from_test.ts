import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { unifiedDiff } from "../../src/manifest/diff.ts";
import { fillVariables } from "../../src/manifest/fill.ts";
import { skipUnless } from "../support/run/require.ts";
import { edit, lineOf, manifest, PUBLISHED } from "./support.ts";

const IMAGE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4";
const FILE = "nodelocaldns.yaml";
const KUBE_DNS = ["-kubedns", "10.96.0.10"];

async function from(text: string, ...args: string[]) {
  const image = args.includes("-image") ? [] : ["-image", "example.org/n:1"];
  return await manifest(["-from", FILE, ...args, ...image], { [FILE]: text });
}

/** The commands that Kubernetes documents, in a shell. */
function sed(expressions: string, text: string): string {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, text);
    const { success, stdout } = new Deno.Command("sed", { args: [expressions, path] }).outputSync();
    assert.ok(success);
    return new TextDecoder().decode(stdout);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test({
  name: "variables are filled as the documented sed commands do",
  ...skipUnless("sed"),
  fn() {
    const values = { localDns: "169.254.20.10", domain: "cluster.local", kubeDns: "10.96.0.10" };
    const common =
      "s/__PILLAR__LOCAL__DNS__/169.254.20.10/g; s/__PILLAR__DNS__DOMAIN__/cluster.local/g; ";
    const iptables = `${common}s/__PILLAR__DNS__SERVER__/10.96.0.10/g`;
    const ipvs = `${common}s/,__PILLAR__DNS__SERVER__//g; s/__PILLAR__CLUSTER__DNS__/10.96.0.10/g`;
    assert.equal(
      fillVariables(PUBLISHED, { ...values, mode: "iptables" }),
      sed(iptables, PUBLISHED),
    );
    assert.equal(fillVariables(PUBLISHED, { ...values, mode: "ipvs" }), sed(ipvs, PUBLISHED));
  },
});

Deno.test("-from fills the published manifest and changes its image alone", async () => {
  for (const mode of ["iptables", "ipvs"] as const) {
    const { code, out, err } = await from(
      PUBLISHED,
      ...KUBE_DNS,
      "-mode",
      mode,
      "-image",
      "example.org/n:1",
    );
    assert.deepEqual({ code, err }, { code: 0, err: "" });
    const filled = fillVariables(PUBLISHED, {
      localDns: "169.254.20.10",
      domain: "cluster.local",
      kubeDns: "10.96.0.10",
      mode,
    });
    assert.equal(out, edit(filled, IMAGE, "example.org/n:1"));
    const pod = parseAllDocuments(out).map((one) => one.toJS())
      .find(({ kind }) => kind === "DaemonSet").spec.template.spec;
    assert.equal(pod.containers[0].image, "example.org/n:1");
    const addresses = mode === "ipvs" ? "169.254.20.10" : "169.254.20.10,10.96.0.10";
    assert.equal(pod.containers[0].args[1], addresses);
  }
});

Deno.test("-from keeps comments, order, unknown fields, quotes and line ends", async () => {
  let text = edit(PUBLISHED, IMAGE, `"${IMAGE}"  # pinned`);
  text = edit(
    text,
    "      hostNetwork: true\n",
    "      hostNetwork: true\n      novelty: {a: 1 ,b: [x]}\n",
  );
  text = edit(text, "spec:\n  updateStrategy:", "# kept\nspec:\n  updateStrategy:");
  text = text.replaceAll("\n", "\r\n");
  const { code, out, err } = await manifest([
    "-from",
    FILE,
    ...KUBE_DNS,
    "-image",
    "example.org/n:1",
  ], {
    [FILE]: text,
  });
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  const kept = edit(out, '"example.org/n:1"  # pinned', `"${IMAGE}"  # pinned`);
  const changed = kept.split("\n").filter((line, i) => line !== text.split("\n")[i]);
  for (const line of changed) assert.match(line, /169\.254\.20\.10|cluster\.local/);
  assert.ok(kept.includes("      novelty: {a: 1 ,b: [x]}\r\n"));
  assert.ok(kept.includes("# kept\r\nspec:"));
});

Deno.test("-from fills a manifest for IPv6 with brackets where a port follows", async () => {
  const { code, out, err } = await from(
    PUBLISHED,
    ...["-localdns", "fd00::10", "-kubedns", "fd00:10:96::a"],
  );
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  assert.ok(out.includes("        health [fd00::10]:8080\n"));
  assert.ok(out.includes("        bind fd00::10 fd00:10:96::a\n"));
  assert.ok(out.includes("            host: fd00::10\n"));
});

Deno.test("-diff shows what changes, as patch takes it", async () => {
  const { code, out, err } = await from(
    PUBLISHED,
    ...KUBE_DNS,
    "-image",
    "example.org/n:1",
    "-diff",
  );
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  assert.ok(out.startsWith(`--- ${FILE}\n+++ ${FILE} (nodens)\n@@ -54,7 +54,7 @@\n`));
  assert.ok(out.includes(`\n-        image: ${IMAGE}\n+        image: example.org/n:1\n`));
  assert.ok(out.includes(
    "\n-    __PILLAR__DNS__DOMAIN__:53 {\n+    cluster.local:53 {\n         errors\n",
  ));
  assert.ok(!out.includes("hostNetwork"));
});

Deno.test({
  name: "patch makes of a diff what was printed without it",
  ...skipUnless("patch"),
  async fn() {
    const text = PUBLISHED;
    const { out: patch } = await from(PUBLISHED, ...KUBE_DNS, "-diff");
    const { out: whole } = await from(PUBLISHED, ...KUBE_DNS);
    const folder = Deno.makeTempDirSync();
    try {
      Deno.writeTextFileSync(`${folder}/${FILE}`, text);
      Deno.writeTextFileSync(`${folder}/patch`, patch);
      const { success } = new Deno.Command("patch", {
        args: ["-s", "-p0", "-i", "patch", FILE],
        cwd: folder,
      }).outputSync();
      assert.ok(success);
      assert.equal(Deno.readTextFileSync(`${folder}/${FILE}`), whole);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("a diff has hunks with context, and says where the last line has no end", () => {
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

Deno.test("what cannot be filled is told with its line, and nothing is printed", async () => {
  const argsLine = lineOf(PUBLISHED, "        args: [");
  const imageLine = lineOf(PUBLISHED, IMAGE);
  const rows: { text: string; args?: string[]; errors: string[] }[] = [
    {
      text: edit(PUBLISHED, "host: __PILLAR__LOCAL__DNS__", "host: __PILLAR__LOCALDNS__"),
      errors: [
        `${lineOf(PUBLISHED, "host: __")}: there is no variable __PILLAR__LOCALDNS__ (did you` +
        ' mean "__PILLAR__LOCAL__DNS__"?)',
      ],
    },
    {
      text: edit(PUBLISHED, 'kubernetes.io/name: "KubeDNSUpstream"', "x: __PILLAR__CLUSTER__DNS__"),
      errors: [
        `${
          lineOf(PUBLISHED, "KubeDNSUpstream")
        }: __PILLAR__CLUSTER__DNS__ is not filled (nodens fills` +
        " it in the mounted Corefile alone)",
      ],
    },
    {
      text: edit(PUBLISHED, '[ "-localip", ', '[ "-localipp", '),
      errors: [`${argsLine}: unknown flag -localipp (did you mean "-localip"?)`],
    },
    {
      text: edit(
        PUBLISHED,
        "__PILLAR__LOCAL__DNS__,__PILLAR__DNS__SERVER__",
        "169.254.20.10;10.96.0.10",
      ),
      errors: [
        `${argsLine}: flag -localip: "169.254.20.10;10.96.0.10" is not an IP address (write` +
        " 169.254.20.10,10.96.0.10)",
      ],
    },
    {
      text: PUBLISHED,
      args: ["-localdns", "10.96.0.99"],
      errors: [
        `${argsLine}: 10.96.0.99 cannot be nodens's own address: it lies in the range of services,` +
        " as the kube-dns service at 10.96.0.10 shows (169.254.20.10 is usual)",
      ],
    },
    {
      text: PUBLISHED,
      args: ["-localdns", "10.244.0.1", "-cluster-range", "10.244.0.0/16"],
      errors: [
        `${argsLine}: 10.244.0.1 cannot be nodens's own address: it lies in the cluster's range` +
        " 10.244.0.0/16 (169.254.20.10 is usual)",
      ],
    },
    {
      text: PUBLISHED.replaceAll("__PILLAR__LOCAL__DNS__", "169.254.20.10"),
      args: ["-localdns", "169.254.20.11"],
      errors: [
        `${argsLine}: -localip has 169.254.20.10,10.96.0.10, but not 169.254.20.11 (-localdns)`,
      ],
    },
    {
      text: PUBLISHED.replaceAll("__PILLAR__DNS__DOMAIN__", "cluster.local"),
      args: ["-domain", "example.org"],
      errors: [
        `${lineOf(PUBLISHED, "DOMAIN__:53")}:` +
        ' no server block is for the domain "example.org": this one is for cluster.local (names' +
        " of the cluster would be looked for elsewhere)",
      ],
    },
    {
      text: edit(PUBLISHED, "denial 9984 5", "denyal 9984 5"),
      errors: [
        `${lineOf(PUBLISHED, "denial")}:` +
        ' cache: unknown option "denyal" (did you mean "denial"?)',
      ],
    },
    {
      text: edit(PUBLISHED, `        image: ${IMAGE}\n`, ""),
      errors: [`${imageLine - 1}: the container "node-cache" has no image`],
    },
    {
      text: edit(PUBLISHED, "        args: [", '        command: ["/node-cache"]\n        args: ['),
      errors: [
        `${argsLine}: nodens's image has no "/node-cache" (take "command" out: the image runs` +
        " nodens by itself)",
      ],
    },
    {
      text: edit(PUBLISHED, `image: ${IMAGE}\n`, `image: >-\n          ${IMAGE}\n`),
      errors: [`${imageLine}: the image takes several lines (write it on one)`],
    },
    {
      text: PUBLISHED.replaceAll("__PILLAR__DNS__SERVER__", "10.0.0.10"),
      errors: [`${argsLine}: -localip has 10.0.0.10 for a service, but not 10.96.0.10 (-kubedns)`],
    },
    {
      text: "kind: ConfigMap\n",
      errors: [
        "1: no DaemonSet has a container whose image is node-cache (there are none at all), so" +
        " there is no image to change",
      ],
    },
    {
      text: "kind: DaemonSet\nspec:\n  template:\n    spec:\n      containers:\n" +
        "      - {name: one, image: a}\n      - {name: two, image: b}\n",
      errors: [
        "1: no DaemonSet has a container whose image is node-cache (there are one, two), so there" +
        " is no image to change",
      ],
    },
  ];
  for (const { text, args = [], errors } of rows) {
    const { code, out, err } = await from(text, ...KUBE_DNS, ...args);
    assert.equal(err, errors.map((error) => `${FILE}:${error}\n`).join(""));
    assert.deepEqual({ code, out }, { code: 1, out: "" });
  }
});

Deno.test("without -kubedns every line that needs it is told", async () => {
  const { code, out, err } = await from(PUBLISHED);
  const lines = PUBLISHED.split("\n").flatMap((line, i) =>
    line.includes("__PILLAR__DNS__SERVER__") ? [`${i + 1}`] : []
  );
  // In the Corefile nodens would blank it, but then nobody would listen on that address.
  assert.deepEqual(err.trim().split("\n").map((line) => line.split(":")[1]), lines.slice(-1));
  assert.match(err, /give -kubedns ADDRESS, that of the kube-dns service/);
  assert.deepEqual({ code, out }, { code: 1, out: "" });
});

Deno.test("text that is no YAML, or no file at all", async () => {
  const { code, err } = await from("a: [\n", ...KUBE_DNS);
  assert.equal(code, 1);
  assert.match(err, /^nodelocaldns\.yaml:2: Flow sequence /);
  const missing = await manifest(["-from", "nowhere.yaml", ...KUBE_DNS]);
  assert.deepEqual(missing, {
    code: 1,
    out: "",
    err: 'nodens manifest: cannot read "nowhere.yaml": there is no such file\n',
  });
});
