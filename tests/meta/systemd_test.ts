import assert from "node:assert/strict";
import { runCommand } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipUnless } from "../support/run/require.ts";
import { ROOT } from "./sources.ts";

const UNITS = `${ROOT}deploy/systemd/`;
const NAMES = ["nodens.service", "nodens.socket"];
const INSTALLED = "/usr/local/bin/nodens";

function run(command: string, ...args: string[]) {
  const env = { NO_COLOR: "1", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "cat" };
  return runCommand(command, args, { env });
}

async function withUnits(use: (paths: string[]) => Promise<void>, more = ""): Promise<void> {
  await withFolder((folder) =>
    use(NAMES.map((name) => {
      const text = Deno.readTextFileSync(UNITS + name);
      const path = `${folder}/${name}`;
      const edited = text.replace(INSTALLED, Deno.execPath()).replace("[Service]\n", `$&${more}`);
      Deno.writeTextFileSync(path, edited);
      return path;
    }))
  );
}

Deno.test("the units agree with nodens", () => {
  const service = Deno.readTextFileSync(`${UNITS}nodens.service`);
  for (
    const line of [
      "Type=notify",
      'ExecReload=/bin/sh -c "kill -HUP $MAINPID"',
      "NotifyAccess=main",
      "User=nodens",
      "AmbientCapabilities=CAP_NET_BIND_SERVICE",
    ]
  ) assert.ok(service.split("\n").includes(line), line);
  // Later than nodens's own limit for a data plane that hangs (5 s).
  assert.ok(Number(/^WatchdogSec=(\d+)$/m.exec(service)![1]) > 5);
  const socket = Deno.readTextFileSync(`${UNITS}nodens.socket`);
  const of = (kind: string) =>
    [...socket.matchAll(new RegExp(`^Listen${kind}=(.*)$`, "gm"))].map(([, at]) => at);
  assert.deepEqual(of("Datagram"), of("Stream"));
  assert.equal(of("Datagram").length, 2);
});

Deno.test({
  name: "systemd-analyze accepts the units, and rejects a wrong key",
  ...skipUnless("systemd-analyze"),
  async fn() {
    await withUnits(async (paths) => {
      const { ok, text } = await run("systemd-analyze", "verify", ...paths);
      assert.deepEqual({ ok, text }, { ok: true, text: "" });
    });
    await withUnits(async (paths) => {
      const { text } = await run("systemd-analyze", "verify", ...paths);
      assert.match(text, /Unknown key.* 'WatchdogSecs'/);
    }, "WatchdogSecs=1\n");
  },
});

Deno.test({
  name: "the service's exposure is low",
  ...skipUnless("systemd-analyze"),
  async fn() {
    await withUnits(async ([service]) => {
      // In tenths; the rest is the network and port 53.
      const options = ["--offline=true", "--no-pager", "--threshold=20"];
      const { ok, text } = await run("systemd-analyze", "security", ...options, service!);
      assert.match(text, /Overall exposure level for nodens\.service: \d\.\d/);
      assert.ok(ok, text);
    });
  },
});

Deno.test({
  name: "systemd-sysusers accepts the account",
  ...skipUnless("systemd-sysusers"),
  async fn() {
    const { ok, text } = await run("systemd-sysusers", "--dry-run", `${UNITS}nodens.sysusers`);
    assert.ok(ok, text);
    const known = /^nodens:/m.test(Deno.readTextFileSync("/etc/passwd"));
    assert.match(text, known ? /^/ : /Creating user 'nodens' \(nodens DNS cache\)/);
  },
});
