/** A new process beside the old one, which is told to stop: nothing is lost. */
import assert from "node:assert/strict";
import { SOCKET_STATE } from "../../src/sys/constants.ts";
import { listSockets } from "../../src/sys/netlink/sock_diag.ts";
import { until } from "../support/run/until.ts";
import { linuxReasons, missing, skipFor } from "../support/run/require.ts";
import type { TestProcess } from "../support/processes/process.ts";
import { type DnsperfResult, runDnsperf } from "../support/namespaces/rig/dnsperf.ts";
import { house, NAMES } from "../support/processes/roll_over.ts";
import { startTcpClients } from "./tcp_clients.ts";

const QPS = 20_000;
const KEPT_CLIENTS = 4;
const BESIDE = /another process is bound to .*; starting beside it/;

const onLinux = skipFor([...linuxReasons(), ...missing(["dnsperf"])]);
const LOAD = { server: "127.0.0.1", names: NAMES, timeoutSeconds: 2, clients: 4 };

function assertNoneLost({ lost, sent, completed, rcodes, text }: DnsperfResult): void {
  assert.ok(sent > 10_000, text);
  assert.equal(lost, 0, text);
  assert.deepEqual(rcodes, { NOERROR: completed }, text);
}

/** Says what a moment has cost; docs/operations.md has such counts. */
function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

function sayLost(what: string, { lost, sent }: DnsperfResult): void {
  say(`${what}: ${lost} of ${sent} queries lost`);
}

/** Octets in the receive buffer of a UDP socket that is connected, that is, turned away (proc(5)). */
function unreadOctets(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const fields = Deno.readTextFileSync("/proc/net/udp").split("\n").map((line) =>
    line.trim().split(/\s+/)
  ).find(([, address, , state]) => address === local && state === "01");
  assert.ok(fields !== undefined, `no connected UDP socket has ${local}`);
  return parseInt(fields[4]!.split(":")[1]!, 16);
}

async function stopped(nodens: TestProcess): Promise<void> {
  const status = await nodens.stop();
  assert.equal(status.code, 0, nodens.output);
  assert.doesNotMatch(nodens.output, /\[(WARNING|ERROR)\]/);
}

Deno.test({
  name: "ten roll-overs in a row with 20,000 queries a second over UDP lose none",
  ...onLinux,
  fn: async () => {
    const { port, upstream, start, end } = house();
    const done = Promise.withResolvers<void>();
    try {
      let serving = await start();
      await runDnsperf({ ...LOAD, port, qps: 1000, seconds: 1 });
      const before = upstream.counts.udp + upstream.counts.tcp;
      const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
      for (let turn = 0; turn < 10; turn++) {
        const next = await start();
        assert.match(next.output, BESIDE);
        await stopped(serving);
        await until(() => /the other process has stopped/.test(next.output), "serving alone");
        serving = next;
      }
      done.resolve();
      const result = await run;
      sayLost("ten roll-overs", result);
      assertNoneLost(result);
      // The first new one knows no name until the old one has written its cache.
      const asked = upstream.counts.udp + upstream.counts.tcp - before;
      assert.ok(asked <= 2 * NAMES.length, `the caches went along: ${asked} questions`);
    } finally {
      done.resolve();
      await end();
    }
  },
});

for (const [from, to] of [["1", "1"], ["2", "2"], ["3", "1"], ["1", "3"]] as const) {
  Deno.test({
    name: `TCP clients of ${from} data planes are led to ${to}: none is refused or reset`,
    ...onLinux,
    fn: async () => {
      const { port, start, end } = house();
      const workers = [from, to];
      try {
        let serving = await start(["-workers", workers[0]!]);
        const clients = startTcpClients({ port, names: NAMES, fresh: 8, kept: 8, pauseMs: 2 });
        for (let turn = 1; turn <= 4; turn++) {
          const { answers } = clients.counts;
          const next = await start(["-workers", workers[turn % 2]!]);
          await stopped(serving);
          await until(() => clients.counts.answers > answers + 200, "answers");
          serving = next;
        }
        await clients.stop();
        const { counts } = clients;
        say(`${from} to ${to} data planes: ${JSON.stringify(counts)}`);
        assert.deepEqual([counts.refused, counts.reset, counts.unserved], [0, 0, 0]);
        // Each client is asked to go once a turn, and a query of it may cross that.
        assert.ok(counts.askedAgain <= 4 * 8, JSON.stringify(counts));
      } finally {
        await end();
      }
    },
  });
}

Deno.test({
  name: "a new process that is killed before it serves costs nothing; one that serves, what it had",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = house();
    const done = Promise.withResolvers<void>();
    try {
      const first = await start();
      await runDnsperf({ ...LOAD, port, qps: 1000, seconds: 1 });
      const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
      for (let i = 0; i < 5; i++) {
        // It says so before its threads start, and binds when they run.
        const early = await start([], (output) => BESIDE.test(output));
        Deno.kill(early.pid, "SIGKILL");
        await early.ended;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      done.resolve();
      const before = await run;
      sayLost("five killed before they served", before);
      assertNoneLost(before);

      const later = Promise.withResolvers<void>();
      const again = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, later.promise);
      for (let i = 0; i < 5; i++) {
        const next = await start();
        Deno.kill(next.pid, "SIGKILL");
        await next.ended;
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      later.resolve();
      const after = await again;
      sayLost("five killed while they served", after);
      // What lay in the socket's buffer, and nothing that came later.
      assert.ok(after.lost < after.sent / 20, after.text);
      assertNoneLost(await runDnsperf({ ...LOAD, port, qps: QPS, seconds: 1 }));
      assert.equal((await first.stop()).code, 0, first.output);
    } finally {
      done.resolve();
      await end();
    }
  },
});

Deno.test({
  name: "an old process that is killed while it drains costs no query over UDP",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = house();
    const done = Promise.withResolvers<void>();
    try {
      let serving = await start();
      await runDnsperf({ ...LOAD, port, qps: 1000, seconds: 1 });
      // A client that asks all the time keeps the old one draining.
      const clients = startTcpClients({
        port,
        names: NAMES,
        fresh: 0,
        kept: KEPT_CLIENTS,
        pauseMs: 2,
      });
      const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
      for (let i = 0; i < 3; i++) {
        const next = await start();
        Deno.kill(serving.pid, "SIGTERM");
        const query = { family: 4, kind: "udp", port, states: [SOCKET_STATE.CLOSE] } as const;
        await until(() => listSockets([query]).length === 1, "turning away");
        // It still answers what had reached it by then; its TCP clients show that a turn has passed.
        await until(() => unreadOctets(port) === 0, "an empty receive buffer");
        const { answers } = clients.counts;
        await until(() => clients.counts.answers >= answers + 2 * KEPT_CLIENTS, "TCP answers");
        Deno.kill(serving.pid, "SIGKILL");
        assert.equal((await serving.ended).signal, "SIGKILL");
        serving = next;
      }
      done.resolve();
      const result = await run;
      await clients.stop();
      sayLost("three killed while they drained", result);
      say(`their TCP clients: ${JSON.stringify(clients.counts)}`);
      assertNoneLost(result);
      assert.equal(clients.counts.refused, 0);
    } finally {
      done.resolve();
      await end();
    }
  },
});

Deno.test({
  name: "a new process that cannot start leaves everything as it was",
  ...onLinux,
  fn: async () => {
    const { port, file, start, end } = house();
    const done = Promise.withResolvers<void>();
    const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    try {
      const first = await start();
      await runDnsperf({ ...LOAD, port, qps: 1000, seconds: 1 });
      const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
      const good = Deno.readTextFileSync(file);
      const other = (taken.addr as Deno.NetAddr).port;
      Deno.writeTextFileSync(file, `${good}.:${other} {\n bind 127.0.0.1\n whoami\n}\n`);
      for (let i = 0; i < 3; i++) {
        await assert.rejects(start(), /Cannot listen on 127\.0\.0\.1:\d+ \(udp\)/);
      }
      done.resolve();
      assertNoneLost(await run);
      await stopped(first);
    } finally {
      done.resolve();
      taken.close();
      await end();
    }
  },
});

Deno.test({
  name: "of three the middle one may go first",
  ...onLinux,
  fn: async () => {
    const { port, start, end } = house();
    const done = Promise.withResolvers<void>();
    try {
      const [first, second, third] = [await start(), await start(), await start()];
      const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
      const clients = startTcpClients({ port, names: NAMES, fresh: 8, kept: 0, pauseMs: 2 });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await stopped(second);
      await stopped(first);
      await until(() => /the other process has stopped/.test(third.output), "serving alone");
      await new Promise((resolve) => setTimeout(resolve, 500));
      await clients.stop();
      done.resolve();
      assertNoneLost(await run);
      const { refused, reset, unserved } = clients.counts;
      say(`three at once: ${JSON.stringify(clients.counts)}`);
      assert.deepEqual([refused, reset, unserved], [0, 0, 0]);
    } finally {
      done.resolve();
      await end();
    }
  },
});
