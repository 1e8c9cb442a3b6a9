import assert from "node:assert/strict";
import {
  holderAt,
  judgeDnsPorts,
  judgeHttpPorts,
  type ListenerFacts,
  type Socket,
  whoRuns,
} from "../../src/doctor/judge/listeners.ts";
import { parseProcNet, processName } from "../../src/doctor/probe/sockets.ts";
import { expectFinding, testJudge } from "../support/doubles/finding_table.ts";

const LOCAL = "169.254.20.10";
const NODE: ListenerFacts = {
  dns: [{ address: LOCAL, port: 53 }],
  http: [{ address: "", port: 9253 }],
  sockets: [],
  status: null,
};
const HOST: ListenerFacts = { ...NODE, dns: [{ address: "", port: 53 }] };

function socket(name: string | null, address: string, changes: Partial<Socket> = {}): Socket {
  const owner = name === null ? null : { pid: 12, name };
  return { protocol: "udp", address, port: 53, inode: 1, owner, ...changes };
}

testJudge("listeners", NODE, judgeDnsPorts, [
  { name: "free", ok: "free: 169.254.20.10:53" },
  {
    name: "systemd-resolved beside a node's cache",
    facts: { sockets: [socket("systemd-resolve", "127.0.0.53")] },
    ok: /./,
  },
  {
    name: "systemd-resolved beside a server on all addresses",
    facts: { ...HOST, sockets: [socket("systemd-resolve", "127.0.0.53")] },
    problem: [
      "systemd-resolve (12) has 127.0.0.53:53/udp",
      /^systemd-resolve: set DNSStubListener=no in/,
    ],
  },
  {
    name: "dnsmasq on all addresses",
    facts: { sockets: [socket("dnsmasq", "0.0.0.0", { protocol: "tcp" })] },
    problem: ["dnsmasq (12) has 0.0.0.0:53/tcp", /^dnsmasq: give it bind-dynamic/],
  },
  {
    name: "an unknown program",
    facts: { sockets: [socket("mydns", LOCAL)] },
    problem: [/./, "mydns: stop it, or give it or nodens another address"],
  },
  {
    name: "an IPv6 wildcard socket that may accept IPv4",
    facts: { sockets: [socket("unbound", "::")] },
    warning: "unbound (12) has [::]:53/udp, which may take IPv4 too",
  },
  {
    name: "an invisible process",
    facts: { sockets: [socket(null, LOCAL)] },
    problem: /cannot be seen has .* to see its name\)$/,
  },
  {
    name: "an invisible process, and a nodens that answers",
    facts: { sockets: [socket(null, LOCAL)], status: { pid: 1, version: "0.1.0" } },
    ok: "nodens 0.1.0 (process 1) listens at 169.254.20.10:53",
  },
  {
    name: "nodens",
    facts: { sockets: [socket("nodens", LOCAL)] },
    ok: "nodens (process 12) listens at 169.254.20.10:53",
  },
  {
    name: "node-cache before the migration",
    facts: { sockets: [socket("node-cache", LOCAL)] },
    warning: [/./, /^expected before the migration/],
  },
  {
    name: "another port",
    facts: { sockets: [socket("other", LOCAL, { port: 5353 })] },
    ok: /./,
  },
  { name: "no /proc", facts: { sockets: null }, skipped: /./ },
]);

Deno.test("http-ports: only TCP conflicts", () => {
  const at = (sockets: Socket[]) => judgeHttpPorts({ ...NODE, sockets });
  expectFinding(at([]), { ok: "free: *:9253" });
  expectFinding(at([socket("x", "0.0.0.0", { port: 9253 })]), { ok: /./ });
  expectFinding(at([socket("node_exporter", "::", { port: 9253, protocol: "tcp" })]), {
    problem: [/./, "node_exporter: stop it, or give it or nodens another address"],
  });
  const http = [{ address: "0.0.0.0", port: 9353, optional: true }];
  const sockets = [socket("node_exporter", "0.0.0.0", { port: 9353, protocol: "tcp" })];
  expectFinding(judgeHttpPorts({ ...NODE, http, sockets }), {
    warning: [
      "node_exporter (12) has 0.0.0.0:9353/tcp; nodens serves, but not there",
      /^node_exporter: stop it/,
    ],
  });
  expectFinding(judgeHttpPorts({ ...NODE, http: [] }), { skipped: /./ });
  expectFinding(judgeDnsPorts({ ...NODE, dns: [] }), { skipped: /./ });
});

Deno.test("whoRuns: identifies the server at our addresses", () => {
  const run = (facts: Partial<ListenerFacts>) => whoRuns({ ...NODE, ...facts });
  const status = { pid: 12, version: "0.1.0" };
  assert.equal(run({}), "nobody");
  assert.equal(run({ sockets: [socket("nodens", LOCAL)] }), "nodens");
  assert.equal(run({ sockets: [socket("deno", LOCAL)], status }), "nodens");
  assert.equal(run({ sockets: [socket("deno", LOCAL)] }), "another");
  assert.equal(run({ sockets: [socket("node-cache", LOCAL)] }), "node-cache");
  assert.equal(run({ sockets: [socket("named", "0.0.0.0")] }), "another");
  assert.equal(run({ sockets: [socket(null, LOCAL)] }), "unknown");
  assert.equal(run({ sockets: [socket(null, LOCAL)], status }), "nodens");
  assert.equal(run({ sockets: null }), "unseen");
  assert.equal(run({ sockets: null, status }), "nodens");
  const facts = { ...NODE, sockets: [socket("named", "0.0.0.0")] };
  assert.equal(holderAt(NODE.dns[0]!, facts), "named (process 12)");
  assert.equal(holderAt({ address: "::1", port: 53 }, facts), null);
});

Deno.test("parseProcNet: reads listening sockets", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid\n";
  const rest = "00000000:00000000 00:00000000 00000000     0        0";
  const udp = `${head}  1: 0A14FEA9:0035 00000000:0000 07 ${rest} 41 2 0\n` +
    `  2: 0100007F:9C40 0100007F:0035 01 ${rest} 42 2 0\n` +
    "  3: 0100007F:00";
  assert.deepEqual(parseProcNet(udp, "udp"), [
    { protocol: "udp", address: LOCAL, port: 53, inode: 41, owner: null },
  ]);
  const tcp6 = `${head}` +
    `  1: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A ${rest} 43\n` +
    `  2: 000000FD000000000000000010000000:0035 00000000000000000000000000000000:0000 0A ${rest} 44\n` +
    `  3: 0000000000000000FFFF00000100007F:0035 00000000000000000000000000000000:0000 0A ${rest} 45\n`;
  assert.deepEqual(parseProcNet(tcp6, "tcp").map(({ address }) => address), [
    "::",
    "fd00::10",
    "127.0.0.1",
  ]);
  assert.deepEqual(parseProcNet("", "udp"), []);
});

Deno.test("processName: reads cmdline, else comm", () => {
  assert.equal(processName("/usr/bin/node-cache\0-localip\0x\0", "node-cache\n"), "node-cache");
  assert.equal(
    processName("/lib/systemd/systemd-resolved\0", "systemd-resolve\n"),
    "systemd-resolve",
  );
  assert.equal(processName("", "kworker\n"), "kworker");
});
