import assert from "node:assert/strict";
import { helpText } from "../../../src/cli/command.ts";
import { FlagError, parseFlags, port, text } from "../../../src/cli/flags.ts";
import { NODE_FLAGS, readNodeOptions } from "../../../src/cli/serve/node_flags.ts";
import type { NodeOptions } from "../../../src/node/options.ts";

const OTHERS = {
  conf: text("FILE", ""),
  "dns.port": port(53, "", "p"),
  pidfile: text("FILE", ""),
  "metrics-listen-address": text("ADDRESS", ""),
};

function read(...args: string[]): NodeOptions {
  const { values, given, rest } = parseFlags(args, { ...OTHERS, ...NODE_FLAGS });
  assert.deepEqual(rest, []);
  return readNodeOptions(values, given);
}

const LOCAL = ["-localip", "169.254.20.10,10.96.0.10"];

Deno.test("without -localip nodens does not change the host", () => {
  assert.deepEqual(read(), {
    localIps: [],
    dnsPort: 53,
    healthPort: 8080,
    setupInterface: false,
    interfaceName: "nodelocaldns",
    setupIptables: false,
    syncIntervalMs: 60_000,
    skipTeardown: false,
    metricsListenAddress: "",
    template: null,
  });
  const { setupInterface, setupIptables, template } = read(
    "-setupinterface",
    "-setupiptables=true",
    "-conf",
    "Corefile",
  );
  assert.deepEqual([setupInterface, setupIptables, template], [false, false, null]);
});

Deno.test("the arguments of the published manifest have the same effect as in node-cache", () => {
  const options = read(
    ...LOCAL,
    "-conf",
    "/etc/Corefile",
    "-upstreamsvc",
    "kube-dns-upstream",
    "-pidfile",
    "/tmp/node-cache.pid",
  );
  const localIps = ["169.254.20.10", "10.96.0.10"];
  assert.deepEqual(options, {
    localIps,
    dnsPort: 53,
    healthPort: 8080,
    setupInterface: true,
    interfaceName: "nodelocaldns",
    setupIptables: true,
    syncIntervalMs: 60_000,
    skipTeardown: false,
    metricsListenAddress: "0.0.0.0:9353",
    template: {
      baseFile: "/etc/coredns/Corefile.base",
      baseRequired: false,
      target: "/etc/Corefile",
      configDirectory: "/etc/kube-dns",
      configRequired: false,
      upstreamService: "kube-dns-upstream",
      domain: "cluster.local",
      metricsEndpoint: ":9253",
      localIps,
      dnsPort: 53,
    },
  });
  assert.deepEqual(structuredClone(options), options);
});

const CHANGES: [string[], Partial<NodeOptions>][] = [
  [["-setupinterface=false"], { setupInterface: false }],
  [["--setupinterface=0"], { setupInterface: false }],
  [["-setupinterface=f", "-setupiptables=FALSE"], { setupInterface: false, setupIptables: false }],
  [["-setupiptables=1", "-skipteardown"], { setupIptables: true, skipTeardown: true }],
  [["-skipteardown=t"], { skipTeardown: true }],
  [["-reloadwithsignal", "-interfacename", "dns-0"], { interfaceName: "dns-0" }],
  [["-interfacename=abcdefghijklmno"], { interfaceName: "abcdefghijklmno" }],
  [["-health-port", "8081"], { healthPort: 8081 }],
  [["-metrics-listen-address="], { metricsListenAddress: "" }],
  [["-metrics-listen-address", "127.0.0.1:1"], { metricsListenAddress: "127.0.0.1:1" }],
  [["-syncinterval", "60"], { syncIntervalMs: 60_000 }],
  [["-syncinterval", "60s"], { syncIntervalMs: 60_000 }],
  [["-syncinterval=1m"], { syncIntervalMs: 60_000 }],
  [["-syncinterval=30"], { syncIntervalMs: 30_000 }],
  [["-syncinterval=1.5s"], { syncIntervalMs: 1500 }],
  [["-syncinterval=45ns"], { syncIntervalMs: 45_000 }],
  [["-localip", "::1"], { localIps: ["::1"] }],
  [["-localip=169.254.20.10, FD00:0::A,169.254.20.10,fd00::a"], {
    localIps: ["169.254.20.10", "fd00::a"],
  }],
];

Deno.test("flags of the node role are parsed", () => {
  for (const [args, changes] of CHANGES) {
    const expected = { ...read(...LOCAL), ...changes };
    const { localIps } = expected;
    const template = { ...expected.template!, localIps };
    assert.deepEqual(read(...LOCAL, ...args), { ...expected, template }, args.join(" "));
  }
});

const TEMPLATES: [string[], Record<string, unknown>][] = [
  [["-corefile", "/a"], { target: "/a" }],
  [["-corefile", "/a", "-conf", "/b"], { target: "/b" }],
  [["-basecorefile", "/a"], { baseFile: "/a", baseRequired: true }],
  [["-kubednscm", "/kube/"], { configDirectory: "/kube", configRequired: true }],
  [["-upstreamsvc", "Dns_2"], { upstreamService: "Dns_2" }],
  [["-domain", "k8s.example.org."], { domain: "k8s.example.org." }],
  [["-p", "1053"], { dnsPort: 1053 }],
  [["-prometheus-listen-address", "[::1]:9253"], { metricsEndpoint: "[::1]:9253" }],
  [["-prometheus-listen-address", "{$POD_IP}:9253"], { metricsEndpoint: "{$POD_IP}:9253" }],
  [["-prometheus-listen-address="], { metricsEndpoint: "" }],
];

Deno.test("flags set the sources of the template", () => {
  const { template } = read(...LOCAL);
  for (const [args, changes] of TEMPLATES) {
    assert.deepEqual(read(...LOCAL, ...args).template, { ...template, ...changes }, args.join(" "));
  }
  const { template: alone, setupInterface, metricsListenAddress } = read("-basecorefile", "/a");
  assert.deepEqual(alone!.localIps, []);
  assert.deepEqual([setupInterface, metricsListenAddress], [false, ""]);
});

const BAD: [string[], string][] = [
  [["-localip="], 'an address is missing in ""'],
  [["-localip", "::1,"], 'an address is missing in "::1,"'],
  [["-localip", "__PILLAR__LOCAL__DNS__"], '"__PILLAR__LOCAL__DNS__" is an unfilled variable'],
  [
    ["-localip", "169.254.20"],
    'flag -localip: "169.254.20" is not an IP address (write 169.254.20.10',
  ],
  [["-localip", "010.0.0.1"], '"010.0.0.1" is not an IP address'],
  [["-localip", "fe80::1%eth0"], '"fe80::1%eth0" is not an IP address'],
  [["-localip", "0.0.0.0"], '"0.0.0.0" is the unspecified address, which no interface can have'],
  [["-localip", "::"], '"::" is the unspecified address'],
  [["-localip", "224.0.0.1"], '"224.0.0.1" is a multicast or reserved address'],
  [["-localip", "255.255.255.255"], '"255.255.255.255" is a multicast or reserved address'],
  [["-localip", "ff02::1"], '"ff02::1" is a multicast address'],
  [["-localip", "::ffff:1.2.3.4"], '"::ffff:1.2.3.4" is an IPv4-mapped IPv6 address'],
  [
    ["-localip", Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`).join()],
    "17 addresses are too many, at most 16",
  ],
  [["-interfacename="], 'flag -interfacename: "" is empty (the default is nodelocaldns)'],
  [
    ["-interfacename=abcdefghijklmnop"],
    'flag -interfacename: "abcdefghijklmnop" is 16 octets long, Linux takes at most 15',
  ],
  [["-interfacename=üüüüüüüü"], "is 16 octets long"],
  [["-interfacename=.."], '".." is not an interface name'],
  [["-interfacename=a b"], '"a b" is not an interface name'],
  [["-interfacename=a/b"], '"a/b" is not an interface name'],
  [["-interfacename=dns%d"], '"dns%d" is not an interface name'],
  [["-syncinterval=soon"], 'flag -syncinterval: "soon" is not a duration (write 60, 60s or 1m)'],
  [["-syncinterval="], 'flag -syncinterval: "" is not a duration'],
  [["-syncinterval=0"], 'flag -syncinterval: "0" is out of range (1s to 576h)'],
  [["-syncinterval=-60"], 'flag -syncinterval: "-60" is out of range'],
  [["-syncinterval=999ms"], 'flag -syncinterval: "999ms" is out of range'],
  [["-syncinterval=0ns"], 'flag -syncinterval: "0ns" is out of range'],
  [["-syncinterval=577h"], 'flag -syncinterval: "577h" is out of range'],
  [["-health-port=0"], "flag -health-port: 0 is not a port (1 to 65535)"],
  [["-health-port=65536"], "flag -health-port: 65536 is not a port"],
  [["-basecorefile="], "flag -basecorefile: a path is missing (-basecorefile FILE)"],
  [["-corefile="], "flag -corefile: a path is missing"],
  [
    ["-conf", "/a", "-basecorefile", "/a"],
    'flag -basecorefile: "/a" is the file that the Corefile',
  ],
  [["-upstreamsvc="], 'flag -upstreamsvc: "" is not the name of a Service'],
  [
    ["-upstreamsvc=dns.kube-system"],
    'flag -upstreamsvc: "dns.kube-system" is not the name of a Service',
  ],
  [
    ["-domain="],
    'flag -domain: "" is not a domain (like cluster.local): Cannot parse an empty name',
  ],
  [
    ["-prometheus-listen-address=9253"],
    'flag -prometheus-listen-address: "9253" is not an address (HOST:PORT, [IPV6]:PORT or :PORT)',
  ],
  [["-prometheus-listen-address={$A} b:1"], "is not an address"],
  [["-prometheus-listen-address={$A}#:1"], "is not an address"],
  [["-prometheus-listen-address=a#b:1"], "is not an address"],
  [["-domain=a b"], 'flag -domain: "a b" is not a domain'],
  [["-domain=a..b"], 'flag -domain: "a..b" is not a domain'],
  [["-domain=a:53"], 'flag -domain: "a:53" is not a domain'],
];

Deno.test("an invalid value is reported with its flag and a remedy", () => {
  for (const [args, message] of BAD) {
    assert.throws(
      () => read(...LOCAL, ...args),
      (error) => error instanceof FlagError && error.message.includes(message),
      args.join(" "),
    );
  }
});

Deno.test("the help shows node-cache's defaults", () => {
  const help = helpText(NODE_FLAGS);
  for (
    const line of [
      "-setupinterface\n        make an interface that has those addresses (default true)",
      "-interfacename NAME\n        name of that interface (default nodelocaldns)",
      "(default /etc/coredns/Corefile.base)",
      "(default /etc/Corefile)",
      "(default kube-dns)",
      "(default cluster.local)",
      "(default 8080)",
      "(default 60)",
    ]
  ) assert.ok(help.includes(line), line);
});
