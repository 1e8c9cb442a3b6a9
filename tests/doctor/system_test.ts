import assert from "node:assert/strict";
import {
  type CapabilityFacts,
  judgeCapabilities,
  judgePermissions,
  judgeRuntime,
  mayAdminister,
  parseEffective,
  type RuntimeFacts,
} from "../../src/doctor/judge/runtime.ts";
import { testFindings } from "../support/doubles/finding_table.ts";

const LINUX: RuntimeFacts = {
  os: "linux",
  arch: "x86_64",
  deno: "2.9.6",
  libcMissing: null,
  denied: [],
  touchesHost: true,
};

const libcMissing = "FFI is not allowed (--allow-ffi)";

testFindings("runtime", [
  { name: "linux", facts: LINUX, ok: "deno 2.9.6 on linux/x86_64, driver linux (epoll)" },
  {
    name: "a server without FFI",
    facts: { ...LINUX, libcMissing, touchesHost: false },
    warning: /portable driver is used, at about four/,
  },
  {
    name: "a node without FFI",
    facts: { ...LINUX, libcMissing },
    problem: /neither interface nor heartbeat/,
  },
], ({ facts }) => judgeRuntime(facts));

testFindings("permissions", [
  { name: "all granted", facts: LINUX, ok: /./ },
  {
    name: "a server without FFI and run",
    facts: { ...LINUX, denied: ["ffi", "run"], touchesHost: false },
    warning: "not granted: ffi, run",
    remedy: "run nodens with --allow-ffi --allow-run",
  },
  {
    name: "a node without run",
    facts: { ...LINUX, denied: ["run"] },
    problem: /./,
    remedy: "run nodens with --allow-run",
  },
  { name: "no network", facts: { ...LINUX, denied: ["net"], touchesHost: false }, problem: /./ },
], ({ facts }) => judgePermissions(facts));

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

testFindings("capabilities", [
  { name: "all", facts: NODE, ok: "NET_BIND_SERVICE, NET_ADMIN, NET_RAW" },
  {
    name: "no NET_ADMIN",
    facts: { ...NODE, effective: BIND | RAW },
    problem: "this process lacks NET_ADMIN (for the interface and the iptables rules)",
    remedy: /^give nodens NET_ADMIN: .*AmbientCapabilities=CAP_NET_ADMIN, else as root/,
  },
  {
    name: "no NET_ADMIN, and nothing to set up",
    facts: { ...NODE, effective: BIND, setupInterface: false, setupRules: false },
    ok: "NET_BIND_SERVICE",
  },
  {
    name: "a low port",
    facts: { ...NODE, effective: NET_ADMIN | RAW },
    problem: "this process lacks NET_BIND_SERVICE (for port 53)",
  },
  {
    name: "a low port that is open to all",
    facts: { ...NODE, effective: NET_ADMIN | RAW, unprivilegedPort: 53 },
    ok: /./,
  },
  {
    name: "legacy iptables without NET_RAW",
    facts: { ...NODE, effective: NET_ADMIN | BIND, backend: "legacy" as const },
    problem: /NET_RAW \(iptables of the legacy kind needs it\)/,
  },
  {
    name: "nft without NET_RAW",
    facts: { ...NODE, effective: NET_ADMIN | BIND },
    ok: "NET_BIND_SERVICE, NET_ADMIN",
  },
  {
    name: "iptables of unknown kind without NET_RAW",
    facts: { ...NODE, effective: NET_ADMIN | BIND, backend: null },
    warning: /./,
  },
  {
    name: "not known",
    facts: { ...NODE, effective: null },
    skipped: "/proc/self/status cannot be read",
  },
], ({ facts }) => judgeCapabilities(facts));

Deno.test("parseEffective: reads /proc/self/status", () => {
  const status = "Name:\tdeno\nCapPrm:\t0000000000000000\nCapEff:\t0000000000001400\n";
  assert.equal(parseEffective(status), NET_ADMIN | BIND);
  assert.equal(parseEffective("CapEff:\tnothing\n"), null);
  assert.equal(parseEffective(""), null);
  assert.deepEqual([NET_ADMIN, BIND, null].map(mayAdminister), [true, false, null]);
});
