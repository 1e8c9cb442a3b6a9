import assert from "node:assert/strict";
import type { Call } from "../../src/cli/command.ts";
import { run } from "../../src/cli/doctor/doctor.ts";
import { type DoctorValues, readDoctorOptions } from "../../src/cli/doctor/options.ts";
import { doctorText } from "../../src/cli/doctor/text.ts";
import { exitCode, ok, problem, skipped, warning } from "../../src/doctor/judge/finding.ts";
import type { DoctorOptions } from "../../src/doctor/probe/options.ts";
import { callCommand } from "../support/doubles/command_call.ts";
import { linuxReasons } from "../support/run/require.ts";

async function read(args: readonly string[], env: Record<string, string> = {}) {
  let json = false;
  let options: DoctorOptions | null = null;
  const { code, err } = await callCommand("doctor", args, (call: Call<DoctorValues>) => {
    json = call.values.json;
    options = readDoctorOptions(call, (name) => env[name]);
    return 0;
  });
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  return { json, options: options! as DoctorOptions };
}

Deno.test("doctor: the defaults on a host and in a pod are right", async () => {
  const plain = await read([]);
  assert.deepEqual([plain.json, plain.options.clusterName], [false, null]);
  assert.equal(plain.options.outsideName, "example.org");
  assert.equal(plain.options.timeoutMs, 2000);
  const inPod = await read([], { KUBERNETES_SERVICE_HOST: "x" });
  assert.equal(inPod.options.clusterName, "kubernetes.default.svc.cluster.local");
});

Deno.test("doctor: the arguments of a DaemonSet can be pasted", async () => {
  const words = "--json -localip 169.254.20.10,10.96.0.10 -conf /etc/Corefile -quiet -workers 2" +
    " -upstreamsvc kube-dns-upstream -domain k8s.test -skipteardown=true -health-port 8081" +
    " -pidfile /run/x -failopen=false --pod -timeout 3";
  const { options, json } = await read(words.split(" "));
  assert.equal(json, true);
  assert.equal(options.clusterName, "kubernetes.default.svc.k8s.test");
  assert.equal(options.corefile, "/etc/Corefile");
  assert.equal(options.timeoutMs, 3000);
  assert.equal(options.pod, true);
  assert.equal(options.node.template!.upstreamService, "kube-dns-upstream");
  assert.deepEqual(options.metricsAddresses, [{ host: "0.0.0.0", port: 9353 }]);
  assert.deepEqual(options.rules.rules.addresses, ["169.254.20.10", "10.96.0.10"]);
  assert.equal(options.rules.rules.healthPort, 8081);
  assert.equal(options.rules.failOpen, false);
  const named = (await read(["-name", "a.test", "-outside", "b.test"])).options;
  assert.deepEqual([named.clusterName, named.outsideName], ["a.test", "b.test"]);
});

const REFUSED: [args: string, message: string][] = [
  ["-timeout 0", "flag -timeout: 0 is out of range (1 to 60)\n"],
  ["-timeout x", 'flag -timeout: "x" is not a whole number\n'],
  ["now", 'unexpected argument "now" (flags begin with -)\n'],
  ["-jsn", 'unknown flag -jsn (did you mean "-json"?)\n'],
  ["-outside a..b", 'flag -outside: "a..b" is not a name (like example'],
  ["-localip x", 'flag -localip: "x" is not an IP address'],
];

for (const [args, message] of REFUSED) {
  Deno.test(`doctor: ${args} is refused`, async () => {
    const { code, out, err } = await callCommand("doctor", args.split(" "));
    assert.deepEqual([code, out], [2, ""]);
    assert.ok(err.startsWith(`nodens doctor: ${message}`), err);
    assert.match(err, /\nUsage: nodens doctor \[--json\]/);
  });
}

const A = { id: "a", title: "First" };
const B = { id: "b", title: "The second" };
const FINDINGS = [
  { ...A, ...ok("all well") },
  { ...B, ...warning("one line\nand another", "do this") },
  { ...A, ...problem("a text that is longer than there is room for it", "do that") },
  { ...B, ...skipped("not here") },
];

Deno.test("doctor: the report is printed as text", () => {
  assert.equal(
    doctorText(FINDINGS, { head: "HEAD", color: false, width: 52 }),
    `HEAD

ok       First       all well
warning  The second  one line
                     and another
                     Do: do this
problem  First       a text that is longer than
                     there is room for it
                     Do: do that
skipped  The second  not here

1 problem, 1 warning, 1 check is right, 1 skipped
`,
  );
  const colored = doctorText(FINDINGS, { head: "HEAD", color: true, width: 10 });
  const lines = colored.split("\n");
  assert.equal(lines[2], "\x1b[32mok     \x1b[0m  First       all well");
  assert.ok(lines.includes(
    "\x1b[31mproblem\x1b[0m  First       a text that is longer than there is room for it",
  ));
});

Deno.test("doctor: the exit code is 1 if a finding is a problem", () => {
  assert.equal(exitCode(FINDINGS), 1);
  assert.equal(exitCode(FINDINGS.filter(({ status }) => status !== "problem")), 0);
  assert.equal(exitCode([]), 0);
});

Deno.test("doctor: -h prints the help", async () => {
  const { code, out } = await callCommand("doctor", ["-h"]);
  assert.equal(code, 0);
  for (const flag of ["-json", "-pod", "-outside", "-localip", "-conf", "-failopen"]) {
    assert.match(out, new RegExp(`^  ${flag}\\b`, "m"));
  }
});

Deno.test("doctor: a host without nodens is reported as JSON", async () => {
  const file = Deno.makeTempFileSync({ prefix: "nodens_doctor_" });
  try {
    Deno.writeTextFileSync(file, "example.org {\n    bind 127.0.0.1\n    whoami\n}\n");
    const args = ["--json", "-conf", file, "-p", "65353", "-timeout", "1"];
    const { code, out, err } = await callCommand("doctor", args, run);
    assert.equal(err, "");
    const report = JSON.parse(out);
    assert.deepEqual(Object.keys(report), [
      ...["version", "ok", "role", "running", "counts", "findings"],
    ]);
    assert.equal(report.ok, code === 0);
    assert.equal(report.role, "host");
    // Without the C library the owner of the sockets is unknown.
    assert.equal(report.running, linuxReasons().length === 0 ? "nobody" : "unseen");
    const ids = report.findings.map(({ id }: { id: string }) => id);
    assert.equal(new Set(ids).size, ids.length, "each id once");
    for (const id of ["runtime", "corefile", "listeners", "listener:127.0.0.1:65353", "pod"]) {
      assert.ok(ids.includes(id), id);
    }
    for (const finding of report.findings) {
      assert.deepEqual(Object.keys(finding), ["id", "title", "status", "found", "remedy"]);
    }
    assert.equal(
      report.findings.length,
      Object.values<number>(report.counts).reduce((sum, count) => sum + count),
    );
  } finally {
    Deno.removeSync(file);
  }
});
