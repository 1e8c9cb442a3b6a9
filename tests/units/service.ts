import assert from "node:assert/strict";
import type { BootedTree } from "../support/containers/booted_tree.ts";
import {
  ANSWERS,
  commandsOf,
  EXAMPLE,
  fileOf,
  install,
  NETWORK_SERVER,
  NETWORK_UP,
  type Trees,
} from "../support/containers/installed_tree.ts";
import { assertAnswersAs, tryOperator, whileAsking } from "./operator.ts";

const OPERATIONS = "docs/operations.md";
const COREFILE = "/etc/nodens/Corefile";
/** In tenths of `systemd-analyze security`: from 0 (confined) to 100 (exposed). */
const MOST_EXPOSURE = 16;

function withHost(tree: BootedTree, line: string): void {
  tree.write(COREFILE, tree.read(COREFILE).replace("    hosts {\n", `$&        ${line}\n`));
}

/** Ends nodens by a script, and waits until systemd has started another that answers. */
async function assertRestarted(tree: BootedTree, script: string): Promise<void> {
  const before = await tree.show("MainPID");
  const restarts = Number(await tree.show("NRestarts"));
  await tree.must(script);
  await tree.until(
    `test "$(systemctl show --value -p NRestarts nodens.service)" = ${restarts + 1} &&
      systemctl is-active nodens.service && ${ANSWERS}`,
  );
  assert.notEqual(await tree.show("MainPID"), before);
}

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
    await tryOperator(t, tree);
    await t.step("the host uses nodens after the page's commands", async () => {
      const commands = commandsOf("### Hand the host over");
      const text = await tree.type(commands);
      assert.match(text, new RegExp(`^${EXAMPLE} +example\\.org$`, "m"));
    });
    await failing(t, tree);
    await withSockets(t, tree);
    await t.step("the way back by the page restores the host", async () => {
      // The recipe does not have the socket unit; there is no iptables.
      await tree.must("systemctl disable --now nodens.socket");
      const [, ...commands] = commandsOf("### The way back");
      await tree.type(commands.slice(0, 2));
      assert.equal(tree.read("/etc/resolv.conf"), `nameserver ${NETWORK_SERVER}\n`);
      assert.equal(await tree.show("ActiveState"), "inactive");
    });
  } finally {
    await t.step("the machine powers off without leftovers", () => tree.off());
  }
  await t.step("nodens starts at boot before the network", () => beforeNetwork(trees));
}

async function serving(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step("systemd shows the state and the listeners", async () => {
    assert.equal(await tree.show("ActiveState"), "active");
    assert.equal(await tree.show("SubState"), "running");
    assert.equal(await tree.show("StatusText"), "serving .:53 on 127.0.0.1, .:53 on [::1]");
    await tree.must(ANSWERS);
  });
  await t.step("the process has the unit's user and minimal rights", async () => {
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
  await t.step("a reload is applied by the same process", async () => {
    const pid = await tree.show("MainPID");
    withHost(tree, "192.0.2.81 good.example.org");
    await tree.must("systemctl reload nodens.service");
    await tree.until("nodens query good.example.org @127.0.0.1 +short | grep -qx 192.0.2.81");
    assert.equal(await tree.show("MainPID"), pid);
    assert.equal(await tree.show("StatusText"), "serving .:53 on 127.0.0.1, .:53 on [::1]");
  });
  await t.step("a faulty Corefile is refused at reload, and systemd shows the fault", async () => {
    const pid = await tree.show("MainPID");
    const good = tree.read(COREFILE);
    tree.write(COREFILE, good.replace("errors", "erorrs"));
    await tree.must("systemctl reload nodens.service");
    await tree.until("systemctl show --value -p StatusText nodens.service | grep -q erorrs");
    assert.equal(await tree.show("ActiveState"), "active");
    assert.equal(await tree.show("MainPID"), pid);
    const [journal] = commandsOf("### In the journal", OPERATIONS);
    const warnings = await tree.must(journal!);
    assert.match(warnings, /erorrs/);
    assert.doesNotMatch(warnings, /nodens [0-9.]+, deno/, "that is not a warning");
    await tree.must(ANSWERS);
    tree.write(COREFILE, good);
    await tree.must("systemctl reload nodens.service");
    await tree.until("systemctl show --value -p StatusText nodens.service | grep -q ^serving");
  });
}

async function failing(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step(
    "kill -9: systemd restarts the process, which opens its control socket again",
    async () => {
      await assertRestarted(tree, "systemctl kill -s KILL nodens.service");
      await assertAnswersAs(tree, await tree.show("MainPID"));
    },
  );
  await t.step("SIGSTOP: the watchdog restarts the process", async () => {
    await assertRestarted(tree, "systemctl kill -s STOP nodens.service");
    await tree.must("journalctl -u nodens.service | grep -q 'Watchdog timeout'");
  });
  await t.step(
    "nodens starts without upstreams, and uses those added to the file later",
    async () => {
      await tree.must(": >/etc/nodens/upstreams.conf && systemctl restart nodens.service");
      assert.match(await tree.must("nodens query example.org @127.0.0.1"), /SERVFAIL/);
      await tree.must("nodens query good.example.org @127.0.0.1 +short | grep -qx 192.0.2.81");
      tree.write("/etc/nodens/upstreams.conf", `nameserver ${NETWORK_SERVER}\n`);
      await tree.until(ANSWERS);
    },
  );
}

async function withSockets(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step(
    "a restart by a second process, by the page, loses no query",
    () =>
      assertLosesNothing(tree, async () => {
        const commands = commandsOf("## Two at once", OPERATIONS);
        // The first two are for hosts without systemd.
        const first = commands.findIndex((command) => command.startsWith("systemd-run "));
        for (const command of commands.slice(first)) await tree.must(whileAsking(command));
        await assertAnswersAs(tree, await tree.show("MainPID"));
      }),
  );
  await t.step("nodens serves on the sockets of the page's unit", async () => {
    await tree.type(commandsOf("### Sockets that systemd opens", OPERATIONS));
    assert.equal(await tree.show("SubState", "nodens.socket"), "running");
    await tree.must(ANSWERS);
    const opened = await tree.must("ss -Hlntup '( sport = :53 )'");
    for (const line of opened.trim().split("\n")) assert.match(line, /"systemd"/, opened);
  });
  await t.step("a query starts a stopped nodens", async () => {
    await tree.must("systemctl stop nodens.service");
    await tree.until(`${ANSWERS} && systemctl is-active nodens.service`);
  });
  await t.step(
    "restarts with sockets lose no query",
    () =>
      assertLosesNothing(tree, async () => {
        for (let i = 0; i < 3; i++) await tree.must("systemctl restart nodens.service");
      }),
  );
}

/** Every query during an action is answered, though each is sent only once. */
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
 * A boot with an address that is configured later: more starts fail than systemd's default limit
 * allows, and then the service is up.
 */
async function beforeNetwork(trees: Trees): Promise<void> {
  const tree = await trees.boot();
  try {
    tree.write("/etc/resolv.conf", "");
    await install(tree);
    const text = fileOf("### Corefile").text;
    tree.write(COREFILE, text.replace("bind 127.0.0.1 ::1", "bind 127.0.0.1 192.0.2.2"));
    await tree.must("systemctl enable nodens.service && systemctl start --no-block nodens.service");
    assert.equal(await tree.show("StartLimitIntervalUSec"), "0");
    await tree.until("test $(systemctl show --value -p NRestarts nodens.service) -gt 5");
    await tree.must(NETWORK_UP);
    tree.write("/etc/nodens/upstreams.conf", `nameserver ${NETWORK_SERVER}\n`);
    await tree.until(`systemctl is-active nodens.service && ${ANSWERS}`);
  } finally {
    await tree.off();
  }
}
