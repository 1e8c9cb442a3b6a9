/** What another process says is no more trusted than a packet, and silence is no farewell. */
import assert from "node:assert/strict";
import { Takeover, type TakeoverHooks } from "../../src/control/takeover.ts";
import { UnixListener, UnixPeer, waitReadable } from "../../src/sys/unix_socket.ts";
import { until } from "../support/followed.ts";
import { skipFor } from "../support/net_require.ts";

const onLinux = skipFor(Deno.build.os === "linux" ? [] : ["only Linux hands sockets over"]);

let names = 0;
const freshName = () => `test-${Deno.pid}-unit-${++names}`;

const NONSENSE = [
  "{",
  "null",
  '"give"',
  '{"type":"sockets","planes":7}',
  '{"type":"sockets"}',
  '{"type":"sockets","planes":["x"],"last":true}',
  '{"type":"sockets","planes":[-1],"last":true}',
  '{"type":"streams"}',
  '{"type":"streams","streams":[null]}',
  '{"type":"streams","streams":[{"address":1,"port":"x","pending":"AAAA"}]}',
  '{"type":"streams","streams":[{"address":"","port":53,"pending":"no base64!"}]}',
  '{"type":"take"}',
];

function make(name: string) {
  const lines: string[] = [];
  const log = (level: string, line: string) => void lines.push(`${level}: ${line}`);
  const done: string[] = [];
  const hooks: TakeoverHooks = {
    sockets: () => [],
    prepare: () => Promise.resolve(() => void done.push("goes on")),
    standDown: () => Promise.resolve(void done.push("stands down")),
    takeBack: () => Promise.resolve(void done.push("serves")),
    adopt: (streams) => void done.push(`adopts ${streams.length}`),
  };
  return { takeover: new Takeover({ name, version: "0", log }), hooks, lines, done };
}

/** One that stands by for a second one, both in this process. */
async function turns(
  use: (both: Record<"first" | "second", ReturnType<typeof make>>) => Promise<void>,
) {
  const name = freshName();
  const [first, second] = [make(name), make(name)];
  try {
    assert.equal(await first.takeover.ask(), null);
    await first.takeover.serve(first.hooks);
    assert.deepEqual(await second.takeover.ask(), []);
    await second.takeover.serve(second.hooks);
    await until(() => first.done.includes("stands down"), "standing down");
    await use({ first, second });
  } finally {
    await second.takeover.stop();
    await first.takeover.stop();
  }
}

Deno.test({
  name: "nonsense from whoever has connected is hung up on, and service goes on",
  ...onLinux,
  // Waiting for messages happens on a thread that may take a second to notice the end.
  sanitizeOps: false,
  fn: async () => {
    const name = freshName();
    const one = make(name);
    await one.takeover.ask();
    await one.takeover.serve(one.hooks);
    try {
      for (const text of NONSENSE) {
        // From somebody who has just come, and from one who is known.
        for (const before of [[], ['{"type":"stand-by"}']]) {
          const peer = UnixPeer.connect(`nodens.${name}`)!;
          for (const each of [...before, text]) assert.equal(peer.send(each, []), true);
          await until(() => peer.receive() === "closed", `hanging up on ${before} ${text}`);
          peer.close();
        }
      }
      assert.deepEqual(one.done, []);
    } finally {
      await one.takeover.stop();
    }
  },
});

Deno.test({
  name: "one that serves and answers nonsense is an error that names it",
  ...onLinux,
  sanitizeOps: false,
  fn: async () => {
    for (const text of NONSENSE) {
      const name = freshName();
      const listener = UnixListener.listen(`nodens.${name}`)!;
      try {
        const asking = make(name).takeover.ask();
        await waitReadable([listener.fd], 5000);
        const peer = listener.accept()!;
        peer.send(text, []);
        await assert.rejects(asking, /Cannot take over from process \d+/, text);
        peer.close();
      } finally {
        listener.close();
      }
    }
  },
});

Deno.test({
  name: "two that have nothing to tell each other for days stay as they are",
  ...onLinux,
  sanitizeOps: false,
  fn: async () => {
    await turns(async ({ first, second }) => {
      const lines = [...first.lines, ...second.lines];
      const { now } = performance;
      let looks = 0;
      performance.now = () => {
        looks++;
        return now.call(performance) + 48 * 3_600_000;
      };
      try {
        // Each looks at the clock once a second.
        for (let i = 0; looks < 4 && i < 1500; i++) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        assert.ok(looks >= 4);
      } finally {
        performance.now = now;
      }
      assert.equal(first.takeover.standsBy, true);
      assert.deepEqual([...first.lines, ...second.lines], lines);
      assert.equal(await second.takeover.giveBack(), true);
      assert.deepEqual(first.done, ["stands down", "serves"]);
    });
  },
});
