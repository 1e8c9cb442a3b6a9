import assert from "node:assert/strict";
import { edit, manifest, PUBLISHED } from "./support.ts";

const CONFIG_MAPS = `kind: List
items:
- kind: ConfigMap
  metadata: {name: coredns}
  data:
    Corefile: |
      .:53 {
          rewrite name legacy.example.org web.shop.svc.cluster.local
          kubernetes cluster.local in-addr.arpa ip6.arpa
          hosts {
              192.0.2.10 printer.example.org
              fallthrough
          }
          forward . /etc/resolv.conf
      }
      import custom/*.server
- kind: ConfigMap
  metadata: {name: coredns-custom}
  data:
    acme.server: |
      acme.local {
          forward . 198.51.100.1
      }
`;
const FLAGS = ["-kubedns", "10.96.0.10", "-image", "example.org/nodens:1", "-inherit", "c.yaml"];
const MISSING = [
  "c.yaml: acme.server:1: the zone acme.local (198.51.100.1)",
  'c.yaml: Corefile:2: the rule "rewrite name legacy.example.org web.shop.svc.cluster.local"',
  "c.yaml: Corefile:5: the host printer.example.org (192.0.2.10)",
];
const ADDED = `        rewrite name legacy.example.org web.shop.svc.cluster.local
        forward cluster.local __PILLAR__CLUSTER__DNS__ {
FORCE        }
        hosts /etc/hosts printer.example.org {
            192.0.2.10 printer.example.org
            fallthrough
        }
        errors
`;

const lines = (text: string) => text.split("\n").slice(0, -1);

async function check(text: string) {
  const files = { "m.yaml": text, "c.yaml": CONFIG_MAPS };
  const { code, out, err } = await manifest(["-check", "m.yaml", "-inherit", "c.yaml"], files);
  assert.equal(out, "");
  return { code, lines: lines(err) };
}

for (const mode of ["iptables", "ipvs", "redirect"]) {
  Deno.test(`-inherit: a new manifest has what CoreDNS adds: ${mode}`, async () => {
    const { code, out, err } = await manifest([...FLAGS, "-mode", mode], { "c.yaml": CONFIG_MAPS });
    assert.equal(code, 0, err);
    assert.deepEqual(lines(err), MISSING.map((line) => `brought over: ${line}`));
    const servers = mode === "ipvs" ? "10.96.0.10" : "__PILLAR__CLUSTER__DNS__";
    const added = ADDED.replace("__PILLAR__CLUSTER__DNS__", servers)
      .replace("FORCE", "            force_tcp\n");
    assert.ok(out.includes(`    .:53 {\n${added}`), out);
    assert.match(out, /\n {4}acme\.local:53 \{\n(?: {8}.*\n)+ {4}\}\n---\n/);
    assert.deepEqual(await check(out), { code: 0, lines: [] });
  });
}

Deno.test("-inherit: -from adds it to the manifest's Corefile and changes nothing else", async () => {
  const files = { "m.yaml": PUBLISHED, "c.yaml": CONFIG_MAPS };
  const args = [...FLAGS, "-from", "m.yaml"];
  const { code, out, err } = await manifest(args, files);
  assert.equal(code, 0, err);
  assert.deepEqual(lines(err), MISSING.map((line) => `brought over: ${line}`));
  assert.ok(out.includes(`    .:53 {\n${ADDED.replace("FORCE", "            force_tcp\n")}`), out);
  const plain = await manifest(args.filter((one) => !/inherit|c\.yaml/.test(one)), files);
  const before = new Set(lines(plain.out));
  assert.deepEqual(lines(out).filter((line) => before.has(line)).length >= before.size, true);
  assert.deepEqual(await check(out), { code: 0, lines: [] });
  const diff = await manifest([...args, "-diff"], files);
  assert.match(diff.out, /^\+ {4}acme\.local:53 \{$/m);
  const kept = lines(diff.out).filter((line) => /^[ +](?!\+)/.test(line));
  assert.deepEqual(kept.filter((line) => !lines(out).includes(line.slice(1))), []);
  const again = await manifest([...FLAGS, "-from", "m.yaml"], { ...files, "m.yaml": out });
  assert.deepEqual({ code: again.code, err: again.err, out: again.out }, { code: 0, err: "", out });
});

Deno.test("-inherit: -check names what is missing, and has no fault for it", async () => {
  const made = await manifest(FLAGS.slice(0, 4));
  assert.deepEqual(await check(made.out), {
    code: 0,
    lines: MISSING.map((line) =>
      `warning: ${line} is not in the node's Corefile (-from with -inherit c.yaml brings it over)`
    ),
  });
});

Deno.test("-inherit: -check takes an unfilled domain for that of -domain", async () => {
  const { lines } = await check(PUBLISHED);
  assert.deepEqual(lines.slice(0, 3).map((line) => line.split(" is not in")[0]), [
    ...MISSING.map((line) => `warning: ${line}`),
  ]);
});

Deno.test("-inherit: line ends and the text around the Corefile stay", async () => {
  const made = (await manifest(FLAGS.slice(0, 4))).out.replaceAll("\n", "\r\n");
  const files = { "m.yaml": made, "c.yaml": CONFIG_MAPS };
  const { out, code } = await manifest([...FLAGS, "-from", "m.yaml"], files);
  assert.equal(code, 0);
  assert.doesNotMatch(out, /[^\r]\n/);
  assert.deepEqual(await check(out), { code: 0, lines: [] });
});

Deno.test("-inherit: a Corefile in quotes is left, with the reason", async () => {
  const text = 'kind: ConfigMap\ndata:\n  Corefile: ". {\\n forward . 192.0.2.1\\n}\\n' +
    'cluster.local {\\n forward . 192.0.2.2\\n}\\n"\n';
  const { code, lines } = await check(text);
  assert.equal(code, 0);
  assert.equal(
    lines[0],
    `warning: ${MISSING[0]} is not in the node's Corefile (the Corefile is not a literal block` +
      " (write it under Corefile: |))",
  );
});

const REFUSED: [maps: string | null, err: string][] = [
  [null, 'nodens manifest: cannot read "c.yaml": there is no such file\n'],
  ["kind: Pod\n", "c.yaml: there is no ConfigMap in it (kubectl -n kube-system get configmap"],
  [
    edit(CONFIG_MAPS, "acme.local {", "acme.local"),
    "c.yaml: /etc/coredns/custom/acme.server:3: unexpected",
  ],
];

Deno.test("-inherit: ConfigMaps that cannot be read end the command with 1", async () => {
  for (const [maps, message] of REFUSED) {
    const { code, out, err } = await manifest(FLAGS, maps === null ? {} : { "c.yaml": maps });
    assert.deepEqual({ code, out }, { code: 1, out: "" });
    assert.ok(err.startsWith(message), err);
  }
  const { code, err } = await manifest([...FLAGS.slice(0, 4), "-inherit="]);
  assert.equal(code, 2);
  assert.match(err, /^nodens manifest: flag -inherit needs a file \(kubectl get configmap coredns/);
});
