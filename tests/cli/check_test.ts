import assert from "node:assert/strict";
import { run } from "../../src/cli/check/check.ts";
import { callCommand } from "../support/doubles/command_call.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";

const FILES = {
  good: ".:1053 {\n whoami\n hosts missing\n}\n",
  later: ". {\n forward . /run/resolv.conf\n}\n",
  plain: ". {\n whoami\n}\n",
  away: ". {\n bind 203.0.113.9 127.0.0.53\n whoami\n}\n",
  whole: "example.org example.net example.com example.edu {\n bind 127.0.0.1 ::1\n hosts {\n" +
    "  10.0.0.9 a.example.org\n  fallthrough\n }\n forward example.org 10.0.0.1 {\n" +
    "  except a.example.org\n  force_tcp\n }\n}\n" +
    ".:5300 {\n cache 30 {\n  denial 9984 5\n  serve_stale 1h\n }\n" +
    " forward . tls://9.9.9.9%dns.quad9.net dns.example.org\n}\n",
  bad: ". {\n chache\n forward . 10.0.0.1 {\n  force-tcp\n }\n}\n",
  pattern: ". {\n errors {\n  consolidate 1m (\n  consolidat\n }\n}\n",
};

function check(...args: string[]) {
  return callCommand("check", args, (call, io) => run(call, io, fakeHost(FILES)));
}

Deno.test("check: a valid Corefile exits with 0 and prints warnings", async () => {
  assert.deepEqual(await check("plain"), {
    code: 0,
    out: "every name on port 53 of all addresses: clients are told their own address.\n",
    err: "",
  });
  assert.deepEqual(await check("good"), {
    code: 0,
    out:
      "every name on port 1053 of all addresses: names of /srv/missing are answered from there, " +
      "other names get SERVFAIL; clients are told their own address.\n",
    err: 'warning: good:3: hosts: file "missing" does not exist (yet)\n' +
      "warning: good:3: hosts: names that it does not list get SERVFAIL and do not reach whoami " +
      "(add fallthrough, or authoritative to deny them)\n",
  });
});

Deno.test("check: a missing file of servers causes a warning", async () => {
  assert.deepEqual(await check("later"), {
    code: 0,
    out: "every name on port 53 of all addresses: all else goes to the servers of " +
      "/run/resolv.conf.\n",
    err: 'warning: later:2: forward: "/run/resolv.conf" does not exist yet; queries get SERVFAIL ' +
      "until it names one\n",
  });
});

Deno.test("check: an invalid Corefile exits with 1 and prints every fault", async () => {
  assert.deepEqual(await check("bad"), {
    code: 1,
    out: "",
    err: 'bad:2: unknown directive "chache" (did you mean "cache"?)\n' +
      'bad:4: forward: unknown option "force-tcp" (did you mean "force_tcp"?)\n',
  });
  const { code, err } = await check("pattern");
  assert.equal(code, 1);
  assert.match(
    err,
    /^pattern:3: errors: consolidate: "\(" is not a regular expression: .*\npattern:4: errors: unknown option/,
  );
});

Deno.test("check: -strict exits with 1 for warnings", async () => {
  for (const [file, code] of [["plain", 0], ["good", 1], ["bad", 1]] as const) {
    assert.equal((await check("-strict", file)).code, code, file);
  }
});

Deno.test("check: an address of no interface causes a warning, except loopback", async () => {
  const { code, err } = await check("away");
  assert.equal(code, 0);
  assert.match(err, /^warning: away: no interface of this machine has the address 203\.0\.113\.9 /);
  assert.equal(err.split("\n").length, 2);
});

Deno.test("check: each server block is described in one line", async () => {
  const { out } = await check("whole");
  assert.deepEqual(out.trim().split("\n"), [
    "example.org., example.net., example.com. and 1 more on 127.0.0.1:53, [::1]:53: names of " +
    "/etc/hosts and 1 entry from the Corefile are answered from there; names in example.org. but " +
    "a.example.org. go to 10.0.0.1:53 over TCP.",
    "every name on port 5300 of all addresses: answers are cached for up to 30 s, denials for up " +
    "to 5 s, stale ones for 1h more while no upstream answers; all else goes to " +
    "tls://9.9.9.9%dns.quad9.net:853, dns.example.org.",
  ]);
});

Deno.test("check: --json prints the configuration", async () => {
  const { code, out, err } = await check("--json", "-dns.port", "5300", "plain");
  assert.equal(code, 0);
  assert.equal(err, "");
  const { file, listeners } = JSON.parse(out);
  assert.equal(file, "plain");
  assert.deepEqual(listeners, [{ address: "", port: 5300, zones: [{ zone: ".", block: 0 }] }]);
});

Deno.test("check: an unreadable file exits with 1", async () => {
  const { code, err } = await check("nothing");
  assert.equal(code, 1);
  assert.equal(err, 'nodens check: cannot read "nothing": there is no such file\n');
});

Deno.test("check: a wrong command line exits with 2", async () => {
  const usage = "\nUsage: nodens check [--json] [-strict] [-dns.port PORT] FILE\n";
  const cases: [string[], string][] = [
    [[], "FILE is missing"],
    [["plain", "good"], 'unexpected argument "good"'],
    [["--jsn", "plain"], 'unknown flag -jsn (did you mean "-json"?)'],
    [["-p", "0", "plain"], "flag -dns.port: 0 is not a port (1 to 65535)"],
  ];
  for (const [args, message] of cases) {
    assert.deepEqual(await check(...args), {
      code: 2,
      out: "",
      err: `nodens check: ${message}${usage}`,
    });
  }
});
