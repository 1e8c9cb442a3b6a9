import assert from "node:assert/strict";
import { parseEffective } from "../../src/sys/capabilities.ts";
import {
  type CapabilityFacts,
  judgeCapabilities,
  judgePermissions,
  judgeRuntime,
  mayAdminister,
  type RuntimeFacts,
} from "../../src/doctor/judge/runtime.ts";
import { testJudge } from "../support/doubles/finding_table.ts";

const LINUX: RuntimeFacts = {
  os: "linux",
  arch: "x86_64",
  deno: "2.9.6",
  libcMissing: null,
  denied: [],
  touchesHost: true,
};

const libcMissing = "FFI is not allowed (--allow-ffi)";

testJudge("runtime", LINUX, judgeRuntime, [
  { name: "linux", ok: "deno 2.9.6 on linux/x86_64, driver linux (epoll)" },
  {
    name: "a server without FFI",
    facts: { libcMissing, touchesHost: false },
    warning: /portable driver is used, at about four/,
  },
  {
    name: "a node without FFI",
    facts: { libcMissing },
    problem: /neither interface nor heartbeat/,
  },
]);

testJudge("permissions", LINUX, judgePermissions, [
  { name: "all permissions", ok: /./ },
  {
    name: "a server without FFI and run",
    facts: { denied: ["ffi", "run"], touchesHost: false },
    warning: ["not granted: ffi, run", "run nodens with --allow-ffi --allow-run"],
  },
  {
    name: "a node without run",
    facts: { denied: ["run"] },
    problem: [/./, "run nodens with --allow-run"],
  },
  { name: "no network", facts: { denied: ["net"], touchesHost: false }, problem: /./ },
]);

const NET_ADMIN = 1n << 12n;
const BIND = 1n << 10n;
const RAW = 1n << 13n;
const NODE: CapabilityFacts = {
  effective: NET_ADMIN | BIND | RAW,
  unprivilegedPort: 1024,
  lowestPort: 53,
  setupInterface: true,
  setupRules: true,
  backend: "nft",
};

testJudge("capabilities", NODE, judgeCapabilities, [
  { name: "all", ok: "NET_BIND_SERVICE, NET_ADMIN, NET_RAW" },
  {
    name: "no NET_ADMIN",
    facts: { effective: BIND | RAW },
    problem: [
      "this process lacks NET_ADMIN (for the interface and the iptables rules)",
      /^give nodens NET_ADMIN: .*AmbientCapabilities=CAP_NET_ADMIN, else as root/,
    ],
  },
  {
    name: "no NET_ADMIN, without set-up",
    facts: { effective: BIND, setupInterface: false, setupRules: false },
    ok: "NET_BIND_SERVICE",
  },
  {
    name: "a low port",
    facts: { effective: NET_ADMIN | RAW },
    problem: "this process lacks NET_BIND_SERVICE (for port 53)",
  },
  {
    name: "a low port that is open to all users",
    facts: { effective: NET_ADMIN | RAW, unprivilegedPort: 53 },
    ok: /./,
  },
  {
    name: "legacy iptables without NET_RAW",
    facts: { effective: NET_ADMIN | BIND, backend: "legacy" },
    problem: /NET_RAW \(iptables of the legacy kind needs it\)/,
  },
  {
    name: "nft without NET_RAW",
    facts: { effective: NET_ADMIN | BIND },
    ok: "NET_BIND_SERVICE, NET_ADMIN",
  },
  {
    name: "iptables of unknown kind without NET_RAW",
    facts: { effective: NET_ADMIN | BIND, backend: null },
    warning: /./,
  },
  { name: "unknown", facts: { effective: null }, skipped: "/proc/self/status cannot be read" },
]);

Deno.test("parseEffective: reads /proc/self/status", () => {
  const status = "Name:\tdeno\nCapPrm:\t0000000000000000\nCapEff:\t0000000000001400\n";
  assert.equal(parseEffective(status), NET_ADMIN | BIND);
  assert.equal(parseEffective("CapEff:\tnothing\n"), null);
  assert.equal(parseEffective(""), null);
  assert.deepEqual([NET_ADMIN, BIND, null].map(mayAdminister), [true, false, null]);
});
