import assert from "node:assert/strict";
import { runCheck } from "../../src/cli/check/check.ts";
import { CHECK } from "../../src/cli/check/command.ts";
import { callCommand } from "../support/command_call.ts";
import { fakeHost } from "../support/fake_host.ts";

const FILES = {
  good: ".:1053 {\n whoami\n hosts missing\n}\n",
  later: ". {\n forward . /run/resolv.conf\n}\n",
  plain: ". {\n whoami\n}\n",
  bad: ". {\n chache\n forward . 10.0.0.1 {\n  force-tcp\n }\n}\n",
  pattern: ". {\n errors {\n  consolidate 1m (\n  consolidat\n }\n}\n",
};

function check(...args: string[]) {
  return callCommand(CHECK, args, (args, output) => runCheck(args, fakeHost(FILES), output));
}

Deno.test("check: a good Corefile gives 0, and its warnings", async () => {
  assert.deepEqual(await check("plain"), { code: 0, out: "", err: "" });
  assert.deepEqual(await check("good"), {
    code: 0,
    out: "",
    err: 'warning: good:3: hosts: file "missing" does not exist (yet)\n',
  });
});

Deno.test("check: a file of servers that is not there yet is a warning", async () => {
  assert.deepEqual(await check("later"), {
    code: 0,
    out: "",
    err: 'warning: later:2: forward: "/run/resolv.conf" does not exist yet; queries get SERVFAIL ' +
      "until it names one\n",
  });
});

Deno.test("check: a bad Corefile gives 1, and every fault", async () => {
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
    /^pattern:3: errors: consolidate: "\(" is no regular expression: .*\npattern:4: errors: unknown option/,
  );
});

Deno.test("check: --json prints the configuration", async () => {
  const { code, out, err } = await check("--json", "-dns.port", "5300", "plain");
  assert.equal(code, 0);
  assert.equal(err, "");
  const { file, listeners } = JSON.parse(out);
  assert.equal(file, "plain");
  assert.deepEqual(listeners, [{ address: "", port: 5300, zones: [{ zone: ".", block: 0 }] }]);
});

Deno.test("check: a file that cannot be read gives 1", async () => {
  const { code, err } = await check("nothing");
  assert.equal(code, 1);
  assert.equal(err, 'nodens check: cannot read "nothing": there is no such file\n');
});

Deno.test("check: bad usage gives 2", async () => {
  const usage = "\nUsage: nodens check [--json] [-dns.port PORT] FILE\n";
  const cases: [string[], string][] = [
    [[], "it needs the Corefile to look at"],
    [["plain", "good"], 'it takes one file, but "good" follows'],
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
