import assert from "node:assert/strict";
import { skipUnless } from "../support/run/require.ts";

const UNITS = new URL("../../deploy/systemd/", import.meta.url).pathname;
const NAMES = ["nodens.service", "nodens.socket"];
const INSTALLED = "/usr/local/bin/nodens";

async function run(command: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "cat" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The units in a folder of their own, with an executable that is there on this machine. */
async function withUnits(
  use: (paths: string[]) => Promise<void>,
  more = "",
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const paths = NAMES.map((name) => {
    const text = Deno.readTextFileSync(UNITS + name);
    const path = `${folder}/${name}`;
    const edited = text.replace(INSTALLED, Deno.execPath()).replace("[Service]\n", `$&${more}`);
    Deno.writeTextFileSync(path, edited);
    return path;
  });
  try {
    await use(paths);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("the service watches what nodens tells it, and the socket opens what nodens looks for", () => {
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
  // Where data planes are taken for dead by nodens itself (5 s), the watchdog must come later.
  assert.ok(Number(/^WatchdogSec=(\d+)$/m.exec(service)![1]) > 5);
  const socket = Deno.readTextFileSync(`${UNITS}nodens.socket`);
  const of = (kind: string) =>
    [...socket.matchAll(new RegExp(`^Listen${kind}=(.*)$`, "gm"))].map(([, at]) => at);
  assert.deepEqual(of("Datagram"), of("Stream"));
  assert.equal(of("Datagram").length, 2);
});

Deno.test({
  name: "systemd takes the units without a word, and would say one",
  ...skipUnless("systemd-analyze"),
  async fn() {
    await withUnits(async (paths) => {
      assert.deepEqual(await run("systemd-analyze", "verify", ...paths), { code: 0, text: "" });
    });
    await withUnits(async (paths) => {
      const { text } = await run("systemd-analyze", "verify", ...paths);
      assert.match(text, /Unknown key.* 'WatchdogSecs'/);
    }, "WatchdogSecs=1\n");
  },
});

Deno.test({
  name: "the service has few rights",
  ...skipUnless("systemd-analyze"),
  async fn() {
    await withUnits(async ([service]) => {
      // Tenths; what is left is the network and port 53.
      const options = ["--offline=true", "--no-pager", "--threshold=20"];
      const { code, text } = await run("systemd-analyze", "security", ...options, service!);
      assert.match(text, /Overall exposure level for nodens\.service: \d\.\d/);
      assert.equal(code, 0, text);
    });
  },
});

Deno.test({
  name: "systemd-sysusers understands the account",
  ...skipUnless("systemd-sysusers"),
  async fn() {
    const { code, text } = await run("systemd-sysusers", "--dry-run", `${UNITS}nodens.sysusers`);
    assert.equal(code, 0, text);
    // Where the account is there already, it has nothing to say.
    const known = /^nodens:/m.test(Deno.readTextFileSync("/etc/passwd"));
    assert.match(text, known ? /^/ : /Creating user 'nodens' \(nodens DNS cache\)/);
  },
});
