import assert from "node:assert/strict";
import type { BootedTree } from "../support/containers/booted_tree.ts";
import {
  commandsOf,
  EXAMPLE,
  fileOf,
  install,
  NETWORK_SERVER,
  NETWORK_UP,
  type Trees,
} from "../support/containers/installed_tree.ts";

const OPERATIONS = "docs/operations.md";
const COREFILE = "/etc/nodens/Corefile";
const ANSWERS = `nodens query example.org @127.0.0.1 +short | grep -qx ${EXAMPLE}`;
/** Tenths, as `systemd-analyze security` counts: 0 is nothing allowed, 100 everything. */
const MOST_EXPOSURE = 16;

/** A property of the unit. */
async function show(tree: BootedTree, name: string, unit = "nodens.service"): Promise<string> {
  return (await tree.must(`systemctl show --value -p ${name} ${unit}`)).trim();
}

/** Adds a line to the `hosts` of the Corefile that the page has. */
function withHost(tree: BootedTree, line: string): void {
  tree.write(COREFILE, tree.read(COREFILE).replace("    hosts {\n", `$&        ${line}\n`));
}

/** Does something that ends nodens; waits until systemd has started another, which answers. */
async function assertRestarted(tree: BootedTree, script: string): Promise<void> {
  const before = await show(tree, "MainPID");
  const restarts = Number(await show(tree, "NRestarts"));
  await tree.must(script);
  await tree.until(
    `test "$(systemctl show --value -p NRestarts nodens.service)" = ${restarts + 1} &&
      systemctl is-active nodens.service && ${ANSWERS}`,
  );
  assert.notEqual(await show(tree, "MainPID"), before);
}

/** Boots, installs, and tries all that the units promise. */
export async function tryUnits(t: Deno.TestContext, trees: Trees): Promise<void> {
  const tree = await trees.boot();
  try {
    await t.step(`installed by the page: ${trees.what}`, async () => {
      await tree.must(NETWORK_UP);
      tree.write("/etc/resolv.conf", `nameserver ${NETWORK_SERVER}\n`);
      await install(tree);
      for (const command of commandsOf("### Start")) await tree.must(command);
    });
    await serving(t, tree);
    await t.step("the host is handed over by the page", async () => {
      const commands = commandsOf("### Hand the host over");
      const text = await tree.must(["set -e", ...commands].join("\n"));
      assert.match(text, new RegExp(`^${EXAMPLE} +example\\.org$`, "m"));
    });
    await failing(t, tree);
    await withSockets(t, tree);
    await t.step("the way back by the page leaves the host as it was", async () => {
      // The socket unit is not of that recipe; iptables is not there, and no rule either.
      await tree.must("systemctl disable --now nodens.socket");
      const [, ...commands] = commandsOf("### The way back");
      await tree.must(["set -e", ...commands.slice(0, 2)].join("\n"));
      assert.equal(tree.read("/etc/resolv.conf"), `nameserver ${NETWORK_SERVER}\n`);
      assert.equal(await show(tree, "ActiveState"), "inactive");
    });
  } finally {
    await t.step("it is switched off, and nothing is left", () => tree.off());
  }
  await t.step("it comes up at boot before the network does", () => beforeNetwork(trees));
}

/** Start, status, reloads, hardening. */
async function serving(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step("systemd knows that it is ready, and what it serves", async () => {
    assert.equal(await show(tree, "ActiveState"), "active");
    assert.equal(await show(tree, "SubState"), "running");
    assert.equal(await show(tree, "StatusText"), "serving .:53 on 127.0.0.1, .:53 on [::1]");
    await tree.must(ANSWERS);
  });
  await t.step("it has the unit's user and port 53, and little else", async () => {
    const status = await tree.must(`cat /proc/$(systemctl show --value -p MainPID nodens)/status`);
    const uid = (await tree.must("id -u nodens")).trim();
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t`, "m"));
    assert.match(status, /^CapBnd:\t0000000000000400$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    const { text } = await tree.run("systemd-analyze security --no-pager nodens.service");
    const exposure = /Overall exposure level for nodens\.service: (\d)\.(\d)/.exec(text);
    assert.ok(exposure !== null, text);
    assert.ok(Number(exposure[1]! + exposure[2]!) <= MOST_EXPOSURE, exposure[0]);
  });
  await t.step("a reload is taken over, by the same process", async () => {
    const pid = await show(tree, "MainPID");
    withHost(tree, "192.0.2.81 good.example.org");
    await tree.must("systemctl reload nodens.service");
    await tree.until("nodens query good.example.org @127.0.0.1 +short | grep -qx 192.0.2.81");
    assert.equal(await show(tree, "MainPID"), pid);
    assert.equal(await show(tree, "StatusText"), "serving .:53 on 127.0.0.1, .:53 on [::1]");
  });
  await t.step("a bad reload is refused, and systemd shows why", async () => {
    const pid = await show(tree, "MainPID");
    const good = tree.read(COREFILE);
    tree.write(COREFILE, good.replace("errors", "erorrs"));
    await tree.must("systemctl reload nodens.service");
    await tree.until("systemctl show --value -p StatusText nodens.service | grep -q erorrs");
    assert.equal(await show(tree, "ActiveState"), "active");
    assert.equal(await show(tree, "MainPID"), pid);
    const [journal] = commandsOf("### In the journal", OPERATIONS);
    const warnings = await tree.must(journal!);
    assert.match(warnings, /erorrs/);
    assert.doesNotMatch(warnings, /nodens [0-9.]+, deno/, "that is no warning");
    await tree.must(ANSWERS);
    tree.write(COREFILE, good);
    await tree.must("systemctl reload nodens.service");
    await tree.until("systemctl show --value -p StatusText nodens.service | grep -q ^serving");
  });
}

/** What ends a process, and a start without any server to ask. */
async function failing(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step("kill -9: another is started", async () => {
    await assertRestarted(tree, "systemctl kill -s KILL nodens.service");
  });
  await t.step("a process that is stopped (SIGSTOP) is replaced by the watchdog", async () => {
    await assertRestarted(tree, "systemctl kill -s STOP nodens.service");
    await tree.must("journalctl -u nodens.service | grep -q 'Watchdog timeout'");
  });
  await t.step("it starts without any server, and follows the file once there is one", async () => {
    await tree.must(": >/etc/nodens/upstreams.conf && systemctl restart nodens.service");
    assert.match(await tree.must("nodens query example.org @127.0.0.1"), /SERVFAIL/);
    await tree.must("nodens query good.example.org @127.0.0.1 +short | grep -qx 192.0.2.81");
    tree.write("/etc/nodens/upstreams.conf", `nameserver ${NETWORK_SERVER}\n`);
    await tree.until(ANSWERS);
  });
}

/** Restarts without sockets of systemd's, and with them. */
async function withSockets(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step(
    "a second process beside it, by the page: a restart loses no query",
    () =>
      assertLosesNothing(tree, async () => {
        const commands = commandsOf("## Two at once", OPERATIONS);
        // The first two are for hosts without systemd.
        const first = commands.findIndex((command) => command.startsWith("systemd-run "));
        await tree.must(["set -e", ...commands.slice(first)].join("\n"));
      }),
  );
  await t.step("the page's sockets are those that it serves on", async () => {
    await tree.must(
      ["set -e", ...commandsOf("### Sockets that systemd opens", OPERATIONS)].join("\n"),
    );
    assert.equal(await show(tree, "SubState", "nodens.socket"), "running");
    await tree.must(ANSWERS);
    const opened = await tree.must("ss -Hlntup '( sport = :53 )'");
    // systemd holds each of them too.
    for (const line of opened.trim().split("\n")) assert.match(line, /"systemd"/, opened);
  });
  await t.step("a query starts it, where it was stopped", async () => {
    await tree.must("systemctl stop nodens.service");
    await tree.until(ANSWERS);
    assert.equal(await show(tree, "ActiveState"), "active");
  });
  await t.step(
    "with sockets, restarts under load lose no query",
    () =>
      assertLosesNothing(tree, async () => {
        for (let i = 0; i < 3; i++) await tree.must("systemctl restart nodens.service");
      }),
  );
}

/** Asks steadily while something is done; every query has to be answered, though asked only once. */
async function assertLosesNothing(tree: BootedTree, act: () => Promise<void>): Promise<void> {
  const script = new URL("./ask_steadily.ts", import.meta.url).pathname;
  const load = tree.inNetwork(Deno.execPath(), "run", "-A", "--no-check", script, "127.0.0.1");
  try {
    await load.printed(/^asking$/m);
    await act();
  } finally {
    await load.closeInput();
  }
  const text = await load.text;
  const [, asked, answered] = /^(\d+) asked, (\d+) answered, 0 failed$/m.exec(text) ?? [];
  assert.ok(Number(asked) > 50, text);
  assert.equal(answered, asked, text);
}

/**
 * A boot with an address in the Corefile that comes later: more starts fail than systemd's usual limit
 * allows, and the service is up once the address is there.
 */
async function beforeNetwork(trees: Trees): Promise<void> {
  const tree = await trees.boot();
  try {
    tree.write("/etc/resolv.conf", "");
    await install(tree);
    const text = fileOf("### Corefile").text;
    tree.write(COREFILE, text.replace("bind 127.0.0.1 ::1", "bind 127.0.0.1 192.0.2.2"));
    await tree.must("systemctl enable nodens.service && systemctl start --no-block nodens.service");
    // systemd's own limit is five starts in ten seconds; a higher one would only take longer.
    assert.equal(await show(tree, "StartLimitIntervalUSec"), "0");
    await tree.until("test $(systemctl show --value -p NRestarts nodens.service) -gt 5");
    await tree.must(NETWORK_UP);
    tree.write("/etc/nodens/upstreams.conf", `nameserver ${NETWORK_SERVER}\n`);
    await tree.until(`systemctl is-active nodens.service && ${ANSWERS}`);
  } finally {
    await tree.off();
  }
}
