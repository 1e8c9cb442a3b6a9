import assert from "node:assert/strict";
import { DOCTOR } from "../../src/cli/doctor/command.ts";
import { runDoctor } from "../../src/cli/doctor/doctor.ts";
import { callCommand } from "../support/doubles/command_call.ts";
import { readDoctorFlags } from "../../src/cli/doctor/flags.ts";
import { doctorText } from "../../src/cli/doctor/text.ts";
import { FlagError } from "../../src/cli/flags.ts";
import { exitCode, ok, problem, skipped, warning } from "../../src/doctor/judge/finding.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import { linuxReasons } from "../support/run/require.ts";

const noEnv = () => undefined;

Deno.test("doctor: flags", () => {
  const plain = readDoctorFlags([], noEnv);
  assert.deepEqual([plain.json, plain.options.clusterName], [false, null]);
  assert.equal(plain.options.outsideName, "example.org");
  assert.equal(plain.options.timeoutMs, 2000);
  const inPod = readDoctorFlags([], (name) => name === "KUBERNETES_SERVICE_HOST" ? "x" : undefined);
  assert.equal(inPod.options.clusterName, "kubernetes.default.svc.cluster.local");
});

Deno.test("doctor: a DaemonSet's arguments are taken as they stand", () => {
  const words = "--json -localip 169.254.20.10,10.96.0.10 -conf /etc/Corefile -quiet -workers 2" +
    " -upstreamsvc kube-dns-upstream -domain k8s.test -skipteardown=true -health-port 8081" +
    " -pidfile /run/x -failopen=false --pod -timeout 3";
  const { options, json } = readDoctorFlags(words.split(" "), noEnv);
  assert.equal(json, true);
  assert.equal(options.clusterName, "kubernetes.default.svc.k8s.test");
  assert.equal(options.corefile, "/etc/Corefile");
  assert.equal(options.timeoutMs, 3000);
  assert.equal(options.pod, true);
  assert.equal(options.node.template!.upstreamService, "kube-dns-upstream");
  assert.deepEqual(options.metricsAddresses, ["0.0.0.0:9353"]);
  assert.deepEqual(options.rules.rules.addresses, ["169.254.20.10", "10.96.0.10"]);
  assert.equal(options.rules.rules.healthPort, 8081);
  assert.equal(options.rules.failOpen, false);
  const named = readDoctorFlags(["-name", "a.test", "-outside", "b.test"], noEnv).options;
  assert.deepEqual([named.clusterName, named.outsideName], ["a.test", "b.test"]);
});

for (
  const { args, message } of [
    { args: ["-timeout", "0"], message: "flag -timeout: 0 is out of range (1 to 60)" },
    { args: ["-timeout", "x"], message: 'flag -timeout: "x" is not a whole number' },
    { args: ["now"], message: 'unknown argument "now" (flags begin with -)' },
    { args: ["-jsn"], message: 'unknown flag -jsn (did you mean "-json"?)' },
    {
      args: ["-outside", "a..b"],
      message: /^flag -outside: "a\.\.b" is not a name \(like example/,
    },
    { args: ["-localip", "x"], message: /^flag -localip: "x" is not an IP address/ },
  ]
) {
  Deno.test(`doctor: ${args.join(" ")} is refused`, async () => {
    assert.throws(() => readDoctorFlags(args, noEnv), (error: Error) => {
      assert.ok(error instanceof FlagError);
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    });
    const { code, out, err } = await callCommand(DOCTOR, args);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /^nodens doctor: .*\nUsage: nodens doctor \[--json\]/);
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

Deno.test("doctor: text", () => {
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
  // Too narrow to break lines.
  assert.ok(lines.includes(
    "\x1b[31mproblem\x1b[0m  First       a text that is longer than there is room for it",
  ));
});

Deno.test("doctor: exit codes", () => {
  assert.equal(exitCode(FINDINGS), 1);
  assert.equal(exitCode(FINDINGS.filter(({ status }) => status !== "problem")), 0);
  assert.equal(exitCode([]), 0);
});

Deno.test("doctor: help", async () => {
  const { code, out } = await callCommand(DOCTOR, ["-h"]);
  assert.equal(code, 0);
  for (const flag of ["-json", "-pod", "-outside", "-localip", "-conf", "-failopen"]) {
    assert.match(out, new RegExp(`^  ${flag}\\b`, "m"));
  }
});

Deno.test("doctor: JSON of a host without nodens", async () => {
  const file = Deno.makeTempFileSync({ prefix: "nodens_doctor_" });
  try {
    Deno.writeTextFileSync(file, "example.org {\n    bind 127.0.0.1\n    whoami\n}\n");
    let text = "";
    const output = { out: (t: string) => text += t, err: (t: string) => assert.fail(t) };
    const args = ["--json", "-conf", file, "-p", "65353", "-timeout", "1"];
    const code = await runDoctor(args, denoHost, output);
    const report = JSON.parse(text);
    assert.deepEqual(Object.keys(report), [
      ...["version", "ok", "role", "running", "counts", "findings"],
    ]);
    assert.equal(report.ok, code === 0);
    assert.equal(report.role, "host");
    // Without the C library it cannot look who has the sockets.
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
