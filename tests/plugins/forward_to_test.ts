import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEndpoint } from "../../src/upstream/endpoint.ts";
import type { ForwardOptions, ForwardTo } from "../../src/plugins/forward/options.ts";
import { type ParsedResolvConf, parseResolvConf } from "../../src/config/resolv_conf.ts";
import { resolveTo } from "../../src/plugins/forward/resolve_to.ts";

const RESOLV_CONFS: [title: string, text: string, found: Partial<ParsedResolvConf>][] = [
  ["an empty file", "", {}],
  [
    "servers, with a scope, trailing words, tabs and carriage returns",
    "nameserver 192.0.2.1\r\n\tnameserver\tfe80::1%eth0\nnameserver ::1 # here\n",
    { servers: ["192.0.2.1", "fe80::1%eth0", "::1"] },
  ],
  [
    "comments, other lines, and a line without an address",
    "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\nNAMESERVER 192.0.2.3\nsearch a\nnameserver",
    {},
  ],
  [
    "words that are not addresses",
    "nameserver dns.example.org\nnameserver 192.0.2.256\nnameserver fe80::1%\nnameserver ::1",
    { servers: ["::1"], invalid: ["dns.example.org", "192.0.2.256", "fe80::1%"] },
  ],
  [
    "options on several lines; the last of each counts",
    "options timeout:3 rotate\noptions ndots:5 timeout:4 attempts:2",
    { timeoutMs: 4000, attempts: 2, rotate: true },
  ],
  [
    "options beyond the C library's bounds",
    "options timeout:31 attempts:6",
    { timeoutMs: 30_000, attempts: 5 },
  ],
  ["zeros", "options timeout:0 attempts:0", { timeoutMs: 1000, attempts: 1 }],
  ["options without numbers", "options timeout: attempts:x timeout:1s no-rotate", {}],
];

for (const [title, text, found] of RESOLV_CONFS) {
  Deno.test(`resolv.conf: ${title}`, () => {
    const nothing = { servers: [], invalid: [], timeoutMs: null, attempts: null, rotate: false };
    assert.deepEqual(parseResolvConf(text), { ...nothing, ...found });
  });
}

Deno.test("resolv.conf: at most a hundred servers are read", () => {
  const text = Array.from({ length: 5000 }, (_, i) => `nameserver 10.0.${i >> 8}.${i & 255}\n`);
  assert.equal(parseResolvConf(text.join("")).servers.length, 100);
});

const server = (address: string, port = 53): ForwardTo => ({
  kind: "server",
  upstream: { address, port, transport: "dns", serverName: "" },
});
const BEFORE = parseResolvConf("nameserver 192.0.2.99");
const file = (path: string): ForwardTo => ({ kind: "file", path, content: BEFORE });
const name = (host: string): ForwardTo => ({
  kind: "name",
  host,
  port: 853,
  transport: "tls",
  serverName: host,
});
const ALL: ForwardOptions["resolvConfOptions"] = ["timeout", "attempts", "rotate"];

const UPDATES = [
  {
    what: "servers",
    to: [server("192.0.2.2"), server("192.0.2.1", 1053)],
    upstreams: ["192.0.2.2:53", "192.0.2.1:1053"],
  },
  {
    what: "servers of files and names keep the order of the Corefile",
    to: [server("192.0.2.9"), file("/a"), name("dot.example"), server("192.0.2.8")],
    files: { "/a": "nameserver 192.0.2.1\nnameserver 192.0.2.2" },
    addresses: { "dot.example": ["192.0.2.5", "2001:db8::5"] },
    upstreams: [
      "192.0.2.9:53",
      "192.0.2.1:53",
      "192.0.2.2:53",
      "192.0.2.5:853 tls dot.example",
      "2001:db8::5:853 tls dot.example",
      "192.0.2.8:53",
    ],
  },
  {
    what: "a repeated upstream keeps its first position",
    to: [file("/a"), server("192.0.2.1"), file("/a"), server("192.0.2.1", 54)],
    files: { "/a": "nameserver 192.0.2.2\nnameserver 192.0.2.1" },
    upstreams: ["192.0.2.2:53", "192.0.2.1:53", "192.0.2.1:54"],
  },
  {
    what: "a file that was not read again keeps its content",
    to: [file("/a"), file("/b")],
    files: { "/b": "nameserver 192.0.2.1" },
    upstreams: ["192.0.2.99:53", "192.0.2.1:53"],
  },
  {
    what: "servers of files are left out, those of the Corefile are not",
    to: [file("/a"), server("192.0.2.2")],
    files: { "/a": "nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions attempts:2" },
    open: ALL,
    leavesOut: ["192.0.2.1", "192.0.2.2"],
    upstreams: ["192.0.2.2:53"],
    maxConnectAttempts: 2,
  },
  {
    what: "names and files without servers",
    to: [name("dot.example"), file("/a")],
    files: { "/a": "" },
    open: ALL,
    upstreams: [],
  },
  {
    what: "options of the file, if the Corefile does not set them",
    to: [file("/a"), server("192.0.2.3")],
    files: { "/a": "nameserver 192.0.2.1\noptions timeout:7 attempts:3 rotate" },
    open: ALL,
    upstreams: ["192.0.2.1:53", "192.0.2.3:53"],
    readTimeoutMs: 7000,
    maxConnectAttempts: 6,
    policy: "round_robin",
  },
  {
    what: "an option removed from the file has the default value",
    to: [file("/a")],
    files: { "/a": "nameserver 192.0.2.1" },
    open: ALL,
    said: { readTimeoutMs: 7000, maxConnectAttempts: 6, policy: "round_robin" as const },
    upstreams: ["192.0.2.1:53"],
  },
  {
    what: "options of the Corefile precede those of the file",
    to: [file("/a")],
    files: { "/a": "nameserver 192.0.2.1\noptions timeout:7 attempts:3 rotate" },
    said: { readTimeoutMs: 1000, maxConnectAttempts: 0, policy: "sequential" as const },
    upstreams: ["192.0.2.1:53"],
    readTimeoutMs: 1000,
    maxConnectAttempts: 0,
    policy: "sequential",
  },
  {
    what: "the first file that sets an option counts",
    to: [file("/a"), file("/b")],
    files: {
      "/a": "nameserver 192.0.2.1\noptions attempts:1",
      "/b": "nameserver 192.0.2.2\noptions attempts:5 timeout:9",
    },
    open: ALL,
    upstreams: ["192.0.2.1:53", "192.0.2.2:53"],
    readTimeoutMs: 9000,
    maxConnectAttempts: 2,
  },
  {
    what: "attempts without servers are ignored",
    to: [file("/a"), name("dot.example")],
    files: { "/a": "options attempts:3" },
    open: ALL,
    upstreams: [],
  },
];

for (const row of UPDATES) {
  const { what, to, files = {}, addresses = {}, open = [], said = {}, ...rest } = row;
  const { leavesOut = [], ...expected } = rest;
  Deno.test(`forward to: ${what}`, () => {
    const defaults = { readTimeoutMs: 2000, maxConnectAttempts: null, policy: "random" as const };
    const update = resolveTo({ to, resolvConfOptions: open, ...defaults, ...said }, {
      files: new Map(
        Object.entries<string>(files).map(([path, text]) => [path, parseResolvConf(text)]),
      ),
      addresses: new Map<string, string[]>(Object.entries(addresses)),
      leavesOut: ({ address }) => leavesOut.includes(address),
    });
    const upstreams = update.upstreams.map(({ address, port, transport, serverName }) =>
      `${address}:${port}${transport === "dns" ? "" : ` ${transport} ${serverName}`}`
    );
    assert.deepEqual({ ...update, upstreams }, { ...defaults, ...expected });
  });
}

Deno.test("forward to: a parsed endpoint survives formatting and parsing", () => {
  const piece = fc.constantFrom(
    ..."[|]|%|:|.|::|fe80::1|2001:db8::1|192.0.2.1|53|0|65536|eth0|a.example|-|é|_".split("|"),
  );
  const transport = fc.constantFrom("dns" as const, "tls" as const, "https" as const);
  fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), transport, (pieces, transport) => {
    const text = pieces.join("");
    let endpoint;
    try {
      endpoint = parseEndpoint(text, transport);
    } catch (error) {
      assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
      return;
    }
    if (endpoint === null) return;
    const { host, isAddress, port, serverName } = endpoint;
    const mark = serverName === "" ? "" : `%${serverName}`;
    const end = port === null ? "" : `:${port}`;
    const again = host.includes(":") ? `[${host}${mark}]${end}` : `${host}${mark}${end}`;
    assert.deepEqual(parseEndpoint(again, transport), { host, isAddress, port, serverName });
  }));
});
