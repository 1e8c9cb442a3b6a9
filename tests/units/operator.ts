import assert from "node:assert/strict";
import type { BootedTree } from "../support/containers/booted_tree.ts";
import { ANSWERS, EXAMPLE, NETWORK_SERVER } from "../support/containers/installed_tree.ts";

const SOCKET = "/run/nodens/control.sock";
const COREFILE = "/etc/nodens/Corefile";
/** Runs a command of the page, meanwhile asks at the control socket, and fails if none answers. */
export const whileAsking = (command: string) =>
  `set -e
rm -f /tmp/done
{ until test -e /tmp/done; do nodens lookup example.org >/dev/null || touch /tmp/none; done; } &
${command}
touch /tmp/done
wait $!
test ! -e /tmp/none`;

/** The operator's commands in the booted service, which serves before and after. */
export async function tryOperator(t: Deno.TestContext, tree: BootedTree): Promise<void> {
  await t.step("the control socket and its folder belong to the unit", async () => {
    const files = `stat -c '%U:%G %a %F' ${SOCKET.replace(/\/[^/]*$/, "")} ${SOCKET}`;
    assert.equal(await tree.must(files), "nodens:nodens 755 directory\nnodens:nodens 600 socket\n");
    assert.equal(await tree.show("RuntimeDirectory"), "nodens");
  });
  await t.step("root sees what is cached, who asks, and why", () => looks(tree));
  await t.step("root watches queries", async () => {
    const text = await tree.must(`
      nodens watch -name example.org >/tmp/watched &
      for ((i = 0; i < 200; i++)); do
        ${ANSWERS}
        if test -s /tmp/watched; then break; fi
      done
      kill $!
      cat /tmp/watched`);
    const line = `^[\\d:.]+ 127\\.0\\.0\\.1 A example\\.org\\. NOERROR ${EXAMPLE} ttl \\d+ cache `;
    assert.match(text, new RegExp(line, "m"));
  });
  await t.step("root and the service's user flush the cache, others are refused", async () => {
    await tree.must(ANSWERS);
    const { code, text } = await tree.run("runuser -u nobody -- nodens flush -all");
    assert.equal(code, 1, text);
    assert.match(text, /control\.sock belongs to user \d+: only root and that user may ask/);
    const named = await tree.run(`runuser -u nobody -- nodens flush -control ${SOCKET} -all`);
    assert.equal(named.code, 1, named.text);
    assert.match(named.text, /permission denied \(only root and its owner may\)/);
    assert.match(await tree.must("runuser -u nodens -- nodens lookup example.org"), /^; server /);
    assert.match(await tree.must("nodens flush example.org"), /^Flushed: answers [1-9]/);
    assert.equal(await tree.must("nodens lookup example.org"), NOTHING);
    await logs(tree, 'control: flush name="example.org" (from user 0, process ');
  });
  await t.step("debug lines are logged for a while", async () => {
    assert.match(await tree.must("nodens log -for 1m debug on"), / logged for 60 s\.$/m);
    await logs(tree, 'control: log debug="on" for="1m" (from user 0, process ');
    await tree.must("nodens log debug off");
  });
  await t.step("a reload by the command tells the faults, and applies the rest", async () => {
    const good = tree.read(COREFILE);
    tree.write(COREFILE, good.replace("errors", "erorrs"));
    const { code, text } = await tree.run("nodens reload");
    assert.equal(code, 1, text);
    assert.match(text, /the new Corefile is refused: .*Corefile:\d+: .*"erorrs"/);
    await tree.must(ANSWERS);
    tree.write(COREFILE, good);
    assert.match(await tree.must("nodens reload"), /^The Corefile of .* is served\.$/m);
    await tree.until("systemctl show --value -p StatusText nodens.service | grep -q ^serving");
  });
  await t.step("a stop by the command leaves the unit inactive, without a socket", async () => {
    const restarts = await tree.show("NRestarts");
    assert.equal(await tree.must("nodens stop"), "nodens is stopping.\n");
    await tree.until("! systemctl is-active nodens.service | grep -v inactive");
    assert.equal(await tree.show("ActiveState"), "inactive");
    assert.equal(await tree.show("Result"), "success");
    assert.equal(await tree.show("NRestarts"), restarts);
    await tree.must(`test ! -e ${SOCKET}`);
    const { code, text } = await tree.run("nodens lookup example.org");
    assert.equal(code, 1, text);
    assert.match(text, /no nodens has a control socket at \/run\/nodens\/control\.sock/);
    await tree.must("systemctl start nodens.service");
    await tree.must(ANSWERS);
  });
}

const NOTHING = "; nothing is cached for example.org\n";

async function looks(tree: BootedTree): Promise<void> {
  await tree.must(ANSWERS);
  const cached = `\\nexample\\.org\\.\\t+\\d+\\tIN\\tA\\t${EXAMPLE}\\n`;
  const entry = new RegExp(`^; example\\.org\\. A: .*, from ${NETWORK_SERVER}:53, `, "m");
  for (const command of ["nodens lookup example.org A", "nodens dump example.org"]) {
    const text = await tree.must(command);
    assert.match(text, new RegExp(cached));
    assert.match(text, entry);
  }
  const story = await tree.must("nodens explain -ask example.org");
  assert.match(story, /^ {2}cache +answers: has it, .*, from 192\.0\.2\.53:53 \(line \d+\)$/m);
  assert.match(story, /^asked: NOERROR in .*, by the cache/m);
  const top = await tree.must("nodens top -once -n 3");
  assert.match(top, new RegExp(`^nodens .*, process ${await tree.show("MainPID")}, `));
  assert.match(top, /^ +\d+ +[\d.]+ {2}A {5}example\.org\.$/m);
  const upstreams = await tree.must("nodens upstreams");
  assert.match(upstreams, new RegExp(`^\\. +${NETWORK_SERVER}:53 +up `, "m"));
}

/** The control socket is of this process. */
export async function assertAnswersAs(tree: BootedTree, pid: string): Promise<void> {
  assert.match(await tree.must("nodens top -once"), new RegExp(`^nodens .*, process ${pid}, `));
}

function logs(tree: BootedTree, text: string): Promise<void> {
  return tree.until(`journalctl --no-pager -u nodens.service | grep -qF '${text}'`);
}
