import assert from "node:assert/strict";
import { runCommand } from "../../release/command.ts";
import { readManifest } from "../../src/manifest/documents.ts";
import { parseAddress } from "../../src/dns/address.ts";
import { isInNetwork, parseNetwork } from "../../src/dns/network.ts";
import { withFolder } from "../support/run/folder.ts";
import { CASES, manifest } from "./support.ts";

const ARGS = '"-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile"';

function small(data: string, { args = ARGS, more = "" } = {}): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: node-local-dns
data:
${data}---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: node-local-dns
spec:
  template:
    spec:
      containers:
      - name: node-cache
        image: example.org/nodens:1
        args: [${args}]
        volumeMounts:
        - {name: config-volume, mountPath: /etc/coredns}
${more}      volumes:
      - name: config-volume
        configMap:
          name: node-local-dns
          items:
          - {key: Corefile, path: Corefile.base}
          - {key: more, path: more.conf}
`;
}

const GOOD = `  Corefile: |
    cluster.local:53 {
        bind __PILLAR__LOCAL__DNS__
        forward . __PILLAR__CLUSTER__DNS__
    }
    .:53 {
        bind __PILLAR__LOCAL__DNS__
        forward . __PILLAR__UPSTREAM__SERVERS__
    }
`;

async function check(text: string, ...args: string[]) {
  const { code, out, err } = await manifest(["-check", "m.yaml", ...args], { "m.yaml": text });
  assert.equal(out, "");
  return { code, lines: err.split("\n").slice(0, -1) };
}

Deno.test("check: a manifest with variables that nodens fills has no faults", async () => {
  assert.deepEqual(await check(small(GOOD), "-domain", "cluster.local"), { code: 0, lines: [] });
});

Deno.test("check: every fault of Corefile and arguments is reported with its line", async () => {
  const text = small(
    GOOD.replace(
      "        forward . __PILLAR__CLUSTER",
      "        chache\n        forward . __PILLAR__CLUSTER",
    )
      .replace("    .:53", "    .:99999"),
    { args: '"-localip", "169.254.20.10,10.96.0.10", "-confg", "/etc/Corefile"' },
  );
  assert.deepEqual(await check(text), {
    code: 1,
    lines: [
      'm.yaml:9: unknown directive "chache" (did you mean "cache"?)',
      'm.yaml:12: "99999" in ".:99999" is not a port number (1 to 65535)',
      'm.yaml:27: unknown flag -confg (did you mean "-conf"?)',
    ],
  });
  assert.deepEqual(await check(text.replace("-confg", "-conf")), {
    code: 1,
    lines: [
      'm.yaml:9: unknown directive "chache" (did you mean "cache"?)',
      'm.yaml:12: "99999" in ".:99999" is not a port number (1 to 65535)',
    ],
  });
});

Deno.test("check: a faulty argument is reported with its line", async () => {
  const args = '\n          "-localip",\n          "169.254.20.300"\n        ';
  const { lines } = await check(small(GOOD, { args }));
  assert.deepEqual(lines.filter((line) => line.includes("-localip:")), [
    'm.yaml:28: flag -localip: "169.254.20.300" is not an IP address (write 169.254.20.10,10.96.0.10)',
  ]);
});

Deno.test("check: variables are faults outside comments, unless nodens fills them", async () => {
  const text = small(
    GOOD.replace("cluster.local:53 {", "__PILLAR__DNS__DOMAIN__:53 {  # __PILLAR__X"),
  );
  assert.deepEqual(await check(text), {
    code: 1,
    lines: ["m.yaml:7: __PILLAR__DNS__DOMAIN__ is not filled (give -domain NAME)"],
  });
  const given = small(GOOD.replace("cluster.local", "__PILLAR__DNS__DOMAIN__"), {
    args: `${ARGS}, "-domain", "example.org"`,
  });
  assert.deepEqual(await check(given, "-domain", "example.org"), { code: 0, lines: [] });
});

Deno.test("check: the address of metrics comes from the arguments, as kubelet expands them", async () => {
  const text = GOOD.replace("    .:53 {", "        prometheus __PROMETHEUS__ENDPOINT__\n    .:53 {")
    .replace("    }\n        prometheus", "        prometheus")
    .replace("ENDPOINT__\n    .:53", "ENDPOINT__\n    }\n    .:53");
  assert.deepEqual(await check(small(text)), { code: 0, lines: [] });
  const args = (address: string) => `${ARGS}, "-prometheus-listen-address", "${address}"`;
  const env = "        env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]\n";
  assert.deepEqual(await check(small(text, { args: args("$(POD_IP):9253"), more: env })), {
    code: 0,
    lines: [],
  });
  assert.deepEqual(await check(small(text, { args: args("$(HOST_IP)/9253"), more: env })), {
    code: 1,
    lines: [
      'm.yaml:27: flag -prometheus-listen-address: "$(HOST_IP)/9253" is not an address' +
      " (HOST:PORT, [IPV6]:PORT or :PORT)",
    ],
  });
  const unknown = small(text.replace("__PROMETHEUS__ENDPOINT__", "__PROMETHEUS__ENDPONT__"));
  assert.deepEqual(await check(unknown), {
    code: 1,
    lines: [
      "m.yaml:10: there is no variable __PROMETHEUS__ENDPONT__ (did you mean" +
      ' "__PROMETHEUS__ENDPOINT__"?)',
    ],
  });
});

Deno.test("check: a quoted Corefile is read", async () => {
  const quoted = '  Corefile: ". {\\n whoamy\\n}\\n"\n';
  assert.deepEqual(await check(small(quoted)), {
    code: 1,
    lines: ['m.yaml:6: Corefile:2: unknown directive "whoamy" (did you mean "whoami"?)'],
  });
});

Deno.test("check: a Corefile can import only files of the ConfigMap", async () => {
  const data = `  Corefile: |
    . {
        import /etc/coredns/more.conf
    }
  more: |
    whoami
    whoamy
`;
  assert.deepEqual(await check(small(data)), {
    code: 1,
    lines: [
      'm.yaml:6: /etc/coredns/more.conf:2: unknown directive "whoamy" (did you mean "whoami"?)',
    ],
  });
  const absent = data.replace("more.conf", "none.conf");
  assert.match(
    (await check(small(absent))).lines[0]!,
    /^m\.yaml:8: cannot import .*: there is no /,
  );
});

Deno.test("check: a listener missing in -localip is a warning", async () => {
  const text = small(GOOD.replace("bind __PILLAR__LOCAL__DNS__", "bind 169.254.20.11"));
  assert.deepEqual(await check(text), {
    code: 0,
    lines: [
      "warning: m.yaml:7: 169.254.20.11 is listened on, but -localip has only" +
      " 169.254.20.10,10.96.0.10",
    ],
  });
});

Deno.test("check: a Corefile outside the manifest is a warning", async () => {
  const text = small("  more: whoami\n", {
    args: `${ARGS}, "-basecorefile", "/etc/other/Corefile"`,
  });
  assert.deepEqual(await check(text), {
    code: 0,
    lines: [
      "warning: m.yaml:16: no ConfigMap of this file is mounted as /etc/other/Corefile, so the" +
      " Corefile is not checked",
    ],
  });
});

Deno.test("check: a single ConfigMap is accepted, other manifests are refused", async () => {
  const alone = small(GOOD).split("---\n")[0]!.replaceAll(
    "bind __PILLAR__LOCAL__DNS__",
    "bind ::1",
  );
  assert.deepEqual(await check(alone), { code: 0, lines: [] });
  assert.deepEqual(
    await check(alone.replace("forward . __PILLAR__CLUSTER", "forwardd . __PILLAR__CLUSTER")),
    { code: 1, lines: ['m.yaml:9: unknown directive "forwardd" (did you mean "forward"?)'] },
  );
  assert.deepEqual(await check("kind: Pod\n"), {
    code: 1,
    lines: ["m.yaml:1: this is not a manifest of nodens or node-cache"],
  });
  assert.equal((await check("")).code, 1);
});

Deno.test("check: malformed manifests cause no exceptions", () => {
  const texts = [
    "",
    "---\n---\n",
    "- a\n- b\n",
    "kind: DaemonSet\nspec: {template: {spec: {containers: 3, volumes: [1, {}]}}}\n",
    "kind: DaemonSet\nspec: {template: {spec: {containers: [{}, 1, {args: [1, null, [x]]}]}}}\n",
    "kind: ConfigMap\ndata: [x]\n",
    "kind: ConfigMap\ndata: {a: 1, b: null, ? [x] : y}\n",
    "a: &a [*a]\nkind: ConfigMap\ndata: *a\n",
    "%YAML 9\n---\nx\n",
    "\u0000",
    `kind: ConfigMap\ndata: ${"[".repeat(2000)}\n`,
  ];
  for (const text of texts) readManifest(text);
  const deep = readManifest("[".repeat(200_000));
  assert.notEqual(deep.faults.length, 0);
  const long = readManifest("x".repeat(5 * 2 ** 20));
  assert.match(long.faults[0]!.what, /characters are too many/);
});

Deno.test("check: a range contains addresses of its family", () => {
  const rows: [string, string, boolean][] = [
    ["10.96.0.0/12", "10.111.255.255", true],
    ["10.96.0.0/12", "10.112.0.0", false],
    ["0.0.0.0/0", "203.0.113.1", true],
    ["0.0.0.0/0", "::1", false],
    ["fd00::/8", "fdff::1", true],
    ["fd00:10:96::/112", "fd00:10:96::1:0", false],
    ["192.0.2.1/32", "192.0.2.1", true],
  ];
  for (const [range, address, inside] of rows) {
    const octets = parseAddress(address)!;
    const found = isInNetwork(parseNetwork(range)!, octets, 0, octets.length);
    assert.equal(found, inside, `${range} ${address}`);
  }
  for (const text of ["10.0.0.0", "10.0.0.0/", "10.0.0/8", "10.0.0.0/33", "x/8", "::/129"]) {
    assert.equal(parseNetwork(text), null, text);
  }
});

Deno.test("check: a memory limit that is too small is a fault or a warning", async () => {
  const limited = (memory: string) =>
    small(GOOD).replace(
      "        volumeMounts:",
      `        resources: {limits: {memory: ${memory}}}\n        volumeMounts:`,
    );
  const rows: [memory: string, expected: RegExp | null][] = [
    ["192Mi", null],
    ["128Mi", null],
    ["134217728", null],
    ["0.5Gi", null],
    ["1e9", null],
    ["134217728000m", null],
    ["30Mi", /^m\.yaml:27: with a memory limit of 30Mi nodens is killed before it answers \(128Mi/],
    ["30000k", /^m\.yaml:27: with a memory limit of 30000k nodens is killed/],
    ["64Mi", /^warning: m\.yaml:27: a memory limit of 64Mi leaves the caches nothing/],
    [
      "192MB",
      /^m\.yaml:27: the memory limit "192MB" is not a quantity \(write it like 192Mi or 1Gi\)$/,
    ],
    ['"  "', /^m\.yaml:27: the memory limit " {2}" is not a quantity/],
  ];
  for (const [memory, expected] of rows) {
    const { code, lines } = await check(limited(memory));
    assert.equal(code, expected === null || expected.source.startsWith("^warning") ? 0 : 1, memory);
    if (expected === null) assert.deepEqual(lines, [], memory);
    else assert.match(lines.join("\n"), expected, memory);
  }
});

Deno.test("check: an image that no node can pull is a warning", async () => {
  const pulled = (image: string) => check(small(GOOD).replace("example.org/nodens:1", image));
  for (const image of ["localhost:5000/nodens", "somebody/nodens:1"]) {
    assert.deepEqual(await pulled(image), { code: 0, lines: [] });
  }
  const { code, lines } = await pulled("nodens-node:0.1.0");
  assert.equal(code, 0);
  assert.match(lines[0]!, /^warning: m\.yaml:25: no node can pull "nodens-node:0\.1\.0": /);
});

Deno.test("check: the command checks a file", async () => {
  const run = async (...args: string[]) => {
    const { code, stderr } = await runCommand(
      Deno.execPath(),
      ["run", "-A", "main.ts", "manifest", ...args],
      { cwd: new URL("../../", import.meta.url).pathname, env: { NO_COLOR: "1" } },
    );
    return { code, err: stderr };
  };
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/m.yaml`, (await manifest(CASES.iptables!)).out);
    assert.deepEqual(await run("-check", `${folder}/m.yaml`), { code: 0, err: "" });
  });
  const bad = await run("-check", "tests/manifest/nodelocaldns.yaml");
  assert.equal(bad.code, 1);
  assert.match(bad.err, /^tests\/manifest\/nodelocaldns\.yaml:57: __PILLAR__DNS__DOMAIN__ is not/);
});
