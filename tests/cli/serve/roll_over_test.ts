/** A second process on the same addresses: both logs, and the persisted cache. */
import assert from "node:assert/strict";
import { askUdp } from "../../support/processes/drivers.ts";
import { eventually } from "../../support/run/eventually.ts";
import { request } from "../../control/operator/scene.ts";
import { until } from "../../support/run/until.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { startProcess } from "../../support/processes/process.ts";
import { missing, rootReasons, skipFor, skipUnlessLinux } from "../../support/run/require.ts";
import { NAMES, rollOverRig } from "../../support/processes/roll_over.ts";

const onLinux = skipUnlessLinux();
const asRoot = skipFor([
  ...rootReasons(),
  ...missing(["setpriv"]),
]);

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

async function askAll(port: number): Promise<void> {
  for (const name of NAMES) {
    assert.equal(decode(await askUdp(queryBytes({ name }), { port })).rcode, "NOERROR");
  }
}

Deno.test({
  name: "a second process restores the first one's cache, and both log which one serves",
  ...onLinux,
  fn: async () => {
    const { port, http, upstream, start, end } = rollOverRig();
    const health = async () => await (await fetch(`http://127.0.0.1:${http}/health`)).text();
    try {
      const first = await start();
      assert.doesNotMatch(first.output, /another process/);
      await askAll(port);
      const second = await start();
      const beside = `another process is bound to 127.0.0.1:${port}; starting beside it`;
      assert.equal(second.output.split(beside).length, 2, second.output);
      assert.equal(await health(), "OK");
      assert.equal((await first.stop()).code, 0);
      assert.match(first.output, /another process accepts queries at the same addresses/);
      await until(() => /the other process has stopped; serving alone/.test(second.output));
      assert.match(second.output, /plugin\/cache: restored 500 entries from/);
      const { udp, tcp } = upstream.counts;
      await askAll(port);
      assert.deepEqual([upstream.counts.udp, upstream.counts.tcp], [udp, tcp]);
      assert.equal(await health(), "OK");
      // The remaining process writes the file and recognizes it as its own.
      assert.equal((await second.stop()).code, 0);
      assert.equal(count(second.output, /entries from/g), 1, second.output);
      assert.doesNotMatch(first.output + second.output, /\[(WARNING|ERROR)\]/);
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "a second process takes the control socket over and keeps it when the first one stops",
  ...onLinux,
  fn: async () => {
    const { start, end } = rollOverRig();
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/control.sock`;
    const servedBy = async () => {
      const { text } = await request(path, "/v1/status");
      return (JSON.parse(text) as { pid: number }).pid;
    };
    try {
      const first = await start(["-control", path]);
      await eventually(async () => assert.equal(await servedBy(), first.pid), () => first.output);
      const second = await start(["-control", path]);
      await eventually(
        async () => assert.equal(await servedBy(), second.pid),
        () => second.output,
      );
      assert.equal((await first.stop()).code, 0);
      assert.equal(await servedBy(), second.pid);
      assert.equal((await second.stop()).code, 0);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
      assert.doesNotMatch(first.output + second.output, /no control socket/);
    } finally {
      await end();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "-takeover has no effect except a log line",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = rollOverRig();
    try {
      const nodens = await start(["-takeover", "anything at all"]);
      await askAll(port);
      assert.equal((await nodens.stop()).code, 0);
      assert.equal(count(nodens.output, /WARNING/g), 1, nodens.output);
      assert.match(nodens.output, /\[WARNING\] -takeover does nothing any more/);
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "an address that is not shared, or shared by another user, is an error",
  ...asRoot,
  fn: async () => {
    const foreign = /tcp\): address already in use by a server of user 65534 \(only processes of/;
    const exclusive = /tcp\): address already in use \(another server listens there: stop it/;
    for (
      const [uid, reusePort, fault] of [
        ["65534", true, foreign],
        ["65534", false, foreign],
        ["0", false, exclusive],
      ] as const
    ) {
      const { port, start, end } = rollOverRig();
      const options = JSON.stringify({ hostname: "127.0.0.1", port, reusePort });
      const code = `Deno.listen(${options}); console.log("UP"); setTimeout(() => {}, 60000);`;
      const cache = Deno.makeTempDirSync({ prefix: "nodens_test_" });
      Deno.chmodSync(cache, 0o777);
      const stranger = await startProcess("setpriv", {
        args: [`--reuid=${uid}`, "--clear-groups", Deno.execPath(), "eval", "--unstable-net", code],
        env: { DENO_DIR: cache, HOME: cache },
        ready: (output) => output.includes("UP"),
      });
      try {
        await assert.rejects(start(), ({ message }: Error) => {
          assert.match(message, fault);
          // A process that cannot share is not announced as one that does.
          assert.equal(/another process is bound to/.test(message), uid === "0", message);
          return true;
        });
      } finally {
        await stranger.stop();
        await end();
        Deno.removeSync(cache, { recursive: true });
      }
    }
  },
});
