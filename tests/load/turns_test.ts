/** Two nodens on one host that take turns: queries over UDP and TCP go on without a loss. */
import assert from "node:assert/strict";
import { askUdp } from "../support/drivers.ts";
import { until } from "../support/followed.ts";
import { decode, queryBytes } from "../support/messages.ts";
import { MAIN } from "../support/net_nodens.ts";
import { skipFor } from "../support/net_require.ts";
import { house, NAMES, standsBy } from "../support/taking_turns.ts";

const onLinux = skipFor(Deno.build.os === "linux" ? [] : ["only Linux hands sockets over"]);

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

/** Asks until told to stop; how many got an answer, and what went wrong. */
function askAllTheTime(port: number) {
  let going = true;
  const failures: string[] = [];
  let answers = 0;
  const asking = (async () => {
    for (let i = 0; going; i++) {
      try {
        const query = queryBytes({ name: NAMES[i % NAMES.length]!, id: i % 65536 });
        decode(await askUdp(query, { port, limitMs: 8000 }));
        answers++;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
  })();
  return {
    answers: () => answers,
    async stop(): Promise<string[]> {
      going = false;
      await asking;
      return failures;
    },
  };
}

Deno.test({
  name: "a new one that ends in order, or is killed, leaves its place to the one before",
  ...onLinux,
  fn: async () => {
    const { port, http, start, end } = house();
    try {
      const health = async () => await (await fetch(`http://127.0.0.1:${http}/health`)).text();
      const first = await start();
      const asking = askAllTheTime(port);
      for (let turn = 1; turn <= 2; turn++) {
        const second = await start();
        await until(() => count(first.output, /standing by/g) === turn, "standing by");
        const status = await second.stop();
        assert.equal(status.code, 0);
        assert.match(second.output, /serves again/);
        await until(() => count(first.output, /ends; this one serves again/g) === turn);
        assert.equal(await health(), "OK");
        const { answers } = asking;
        const before = answers();
        await until(() => answers() > before + 20, "answers");
      }
      assert.deepEqual(await asking.stop(), []);
      const killed = await start();
      await until(() => count(first.output, /standing by/g) === 3, "standing by");
      Deno.kill(killed.pid, "SIGKILL");
      await killed.ended;
      await until(() => /is gone; this one serves again/.test(first.output), "noticing");
      for (const name of NAMES.slice(0, 20)) {
        decode(await askUdp(queryBytes({ name }), { port }));
      }
      assert.equal(await health(), "OK");
      // And it can be taken over from again.
      await start();
      await until(() => count(first.output, /standing by/g) === 4, "standing by");
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "of three, the one in the middle may go: the first stands by for the third",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = house();
    try {
      const [first, second] = [await start(), await start()];
      await until(() => standsBy(first), "standing by");
      const third = await start();
      await until(() => standsBy(second), "standing by");
      await second.stop();
      await until(() => /standing by: process \d+ serves now/.test(first.output), "the first");
      assert.doesNotMatch(first.output, /serves again/);
      await third.stop();
      await until(() => /ends; this one serves again/.test(first.output), "serving again");
      decode(await askUdp(queryBytes({ name: "n1.example.org" }), { port }));
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "a new one that cannot start leaves everything as it was",
  ...onLinux,
  fn: async () => {
    const { port, file, start, end } = house();
    try {
      const first = await start();
      const good = Deno.readTextFileSync(file);
      const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const other = (taken.addr as Deno.NetAddr).port;
      Deno.writeTextFileSync(file, `${good}.:${other} {\n bind 127.0.0.1\n whoami\n}\n`);
      await assert.rejects(start(), /Cannot listen on 127\.0\.0\.1:\d+ \(udp\)/);
      await until(() => /does not come up; this one serves on/.test(first.output), "serving on");
      decode(await askUdp(queryBytes({ name: "n1.example.org" }), { port }));
      assert.doesNotMatch(first.output, /standing by/);
      taken.close();
      // What has changed in the Corefile meanwhile is seen with the next reload, as ever.
      Deno.writeTextFileSync(file, good);
      await start();
      await until(() => standsBy(first), "standing by");
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "another number of data planes, and a reload while standing by",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = house();
    try {
      const first = await start("-workers", "2");
      const asking = askAllTheTime(port);
      const second = await start();
      await until(() => standsBy(first), "standing by");
      const third = await start("-workers", "3");
      await until(() => standsBy(second), "standing by");
      Deno.kill(first.pid, "SIGHUP");
      await until(() => /SIGHUP: not now: another nodens serves/.test(first.output), "the answer");
      await third.stop();
      await until(() => /ends; this one serves again/.test(second.output), "serving again");
      const { answers } = asking;
      const before = answers();
      await until(() => answers() > before + 50, "answers");
      assert.deepEqual(await asking.stop(), []);
    } finally {
      await end();
    }
  },
});

Deno.test({
  name: "a new one that comes while the old one ends waits for that, and serves then",
  ...onLinux,
  fn: async () => {
    const { port, file, start, end } = house();
    try {
      const slow = Deno.readTextFileSync(file).replace(
        /^( *health .*)$/m,
        "$1 {\n lameduck 2s\n }",
      );
      Deno.writeTextFileSync(file, slow);
      const first = await start();
      Deno.kill(first.pid, "SIGTERM");
      await until(() => /lameduck/.test(first.output), "lame duck");
      const second = await start();
      assert.match(second.output, /process \d+ ends; waiting for it/);
      assert.equal((await first.ended).code, 0);
      assert.doesNotMatch(first.output, /takes over/);
      decode(await askUdp(queryBytes({ name: "n1.example.org" }), { port }));
    } finally {
      await end();
    }
  },
});

Deno.test("a takeover needs a name that a socket can have", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "-takeover", "a/b"],
  }).output();
  assert.equal(code, 2);
  assert.match(new TextDecoder().decode(stderr), /flag -takeover: "a\/b" is no name/);
});
