/** A new process beside the old one, which is stopped: no query is lost. */
import assert from "node:assert/strict";
import { SOCKET_STATE } from "../../src/sys/constants.ts";
import { listSockets } from "../../src/sys/netlink/sock_diag.ts";
import { type DnsperfResult, runDnsperf } from "../support/namespaces/rig/dnsperf.ts";
import type { TestProcess } from "../support/processes/process.ts";
import { killBeforeBound } from "../support/processes/early_kill.ts";
import { NAMES, rollOverRig } from "../support/processes/roll_over.ts";
import { linuxReasons, missing, skipFor } from "../support/run/require.ts";
import { until } from "../support/run/until.ts";
import { startTcpClients } from "./tcp_clients.ts";

const QPS = 20_000;
const KEPT_CLIENTS = 4;
/** Time under load without another event. */
const CALM_MS = 500;
const BESIDE = /another process is bound to .*; starting beside it/;
const ALONE = /the other process has stopped/;
const LOAD = { server: "127.0.0.1", names: NAMES, timeoutSeconds: 2, clients: 4 };

function test(name: string, use: (rig: ReturnType<typeof rollOverRig>) => Promise<void>): void {
  Deno.test({
    name,
    ...skipFor([...linuxReasons(), ...missing(["dnsperf"])]),
    async fn() {
      const rig = rollOverRig();
      try {
        await use(rig);
      } finally {
        await rig.end();
      }
    },
  });
}

const warmUp = (port: number) => runDnsperf({ ...LOAD, port, qps: 1000, seconds: 1 });

/** Load over UDP during `work`; prints its cost (counts as in docs/operations.md). */
async function underLoad(
  port: number,
  what: string,
  work: () => Promise<void>,
): Promise<DnsperfResult> {
  const done = Promise.withResolvers<void>();
  const run = runDnsperf({ ...LOAD, port, qps: QPS, seconds: 60 }, done.promise);
  try {
    await work();
  } finally {
    done.resolve();
  }
  const result = await run;
  say(`${what}: ${result.lost} of ${result.sent} queries lost`);
  return result;
}

/**
 * Octets in the receive buffer of a UDP socket that is connected, that is, turned away (proc(5)).
 */
function unreadOctets(port: number): number {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const fields = Deno.readTextFileSync("/proc/net/udp").split("\n").map((line) =>
    line.trim().split(/\s+/)
  ).find(([, address, , state]) => address === local && state === "01");
  assert.ok(fields !== undefined, `no connected UDP socket has ${local}`);
  return parseInt(fields[4]!.split(":")[1]!, 16);
}

function assertNoneLost({ lost, sent, completed, rcodes, text }: DnsperfResult): void {
  assert.ok(sent > 10_000, text);
  assert.equal(lost, 0, text);
  assert.deepEqual(rcodes, { NOERROR: completed }, text);
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function stopped(nodens: TestProcess): Promise<void> {
  const status = await nodens.stop();
  assert.equal(status.code, 0, nodens.output);
  assert.doesNotMatch(nodens.output, /\[(WARNING|ERROR)\]/);
}

async function killed(nodens: TestProcess): Promise<void> {
  Deno.kill(nodens.pid, "SIGKILL");
  assert.equal((await nodens.ended).signal, "SIGKILL");
}

const calm = () => new Promise((resolve) => setTimeout(resolve, CALM_MS));

test("roll-over: ten in a row at 20,000 queries per second over UDP lose none", async (rig) => {
  const { port, upstream, start } = rig;
  let serving = await start();
  await warmUp(port);
  const before = upstream.counts.udp + upstream.counts.tcp;
  const result = await underLoad(port, "ten roll-overs", async () => {
    for (let turn = 0; turn < 10; turn++) {
      const next = await start();
      assert.match(next.output, BESIDE);
      await stopped(serving);
      await until(() => ALONE.test(next.output), "serving alone");
      serving = next;
    }
  });
  assertNoneLost(result);
  // The first new process knows no name until the old one has written its cache.
  const asked = upstream.counts.udp + upstream.counts.tcp - before;
  assert.ok(asked <= 2 * NAMES.length, `the caches are passed on: ${asked} questions`);
});

for (const [from, to] of [["1", "1"], ["2", "2"], ["3", "1"], ["1", "3"]] as const) {
  const name = `a roll-over from ${from} to ${to} data planes refuses and resets no TCP client`;
  test(name, async ({ port, start }) => {
    const workers = [from, to];
    let serving = await start(["-workers", from]);
    const clients = startTcpClients({ port, names: NAMES, fresh: 8, kept: 8, pauseMs: 2 });
    const { counts } = clients;
    for (let turn = 1; turn <= 4; turn++) {
      const { answers } = counts;
      const next = await start(["-workers", workers[turn % 2]!]);
      await stopped(serving);
      await until(() => counts.answers > answers + 200, "answers");
      serving = next;
    }
    await clients.stop();
    say(`${from} to ${to} data planes: ${JSON.stringify(counts)}`);
    assert.deepEqual([counts.refused, counts.reset, counts.unserved], [0, 0, 0]);
    // Each client's connection is closed once per turn, which may cross a query.
    assert.ok(counts.askedAgain <= 4 * 8, JSON.stringify(counts));
  });
}

test("roll-over: a killed new process loses at most the queries that it received", async (rig) => {
  const { port, start } = rig;
  const first = await start();
  await warmUp(port);
  const before = await underLoad(port, "five killed before they served", async () => {
    const query = { family: 4, kind: "udp", port, states: [SOCKET_STATE.CLOSE] } as const;
    let kills = 0;
    for (let i = 0; i < 20 && kills < 5; i++) {
      const next = await start([], (output) => BESIDE.test(output));
      if (await killBeforeBound(next, () => listSockets([query]).length > 1)) kills++;
    }
    assert.equal(kills, 5);
    await calm();
  });
  assertNoneLost(before);
  const after = await underLoad(port, "five killed while they served", async () => {
    for (let i = 0; i < 5; i++) await killed(await start());
    await calm();
  });
  // Only the contents of the socket's buffer.
  assert.ok(after.lost < after.sent / 20, after.text);
  assertNoneLost(await runDnsperf({ ...LOAD, port, qps: QPS, seconds: 1 }));
  assert.equal((await first.stop()).code, 0, first.output);
});

test("roll-over: an old process killed while draining loses no UDP query", async ({ port, start }) => {
  let serving = await start();
  await warmUp(port);
  // A client that queries constantly keeps the old process draining.
  const clients = startTcpClients({ port, names: NAMES, fresh: 0, kept: KEPT_CLIENTS, pauseMs: 2 });
  const result = await underLoad(port, "three killed while they drained", async () => {
    for (let i = 0; i < 3; i++) {
      const next = await start();
      Deno.kill(serving.pid, "SIGTERM");
      const query = { family: 4, kind: "udp", port, states: [SOCKET_STATE.CLOSE] } as const;
      await until(() => listSockets([query]).length === 1, "turning away");
      // It still answers queries that had arrived; its TCP clients show that a turn has passed.
      await until(() => unreadOctets(port) === 0, "an empty receive buffer");
      const { answers } = clients.counts;
      await until(() => clients.counts.answers >= answers + 2 * KEPT_CLIENTS, "TCP answers");
      await killed(serving);
      serving = next;
    }
  });
  await clients.stop();
  say(`their TCP clients: ${JSON.stringify(clients.counts)}`);
  assertNoneLost(result);
  assert.equal(clients.counts.refused, 0);
});

test("roll-over: a new process that fails to start changes nothing", async ({ port, file, start }) => {
  const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const first = await start();
    await warmUp(port);
    const good = Deno.readTextFileSync(file);
    const other = (taken.addr as Deno.NetAddr).port;
    const result = await underLoad(port, "three that cannot start", async () => {
      Deno.writeTextFileSync(file, `${good}.:${other} {\n bind 127.0.0.1\n whoami\n}\n`);
      for (let i = 0; i < 3; i++) {
        await assert.rejects(start(), /Cannot listen on 127\.0\.0\.1:\d+ \(udp\)/);
      }
    });
    assertNoneLost(result);
    await stopped(first);
  } finally {
    taken.close();
  }
});

test("roll-over: of three processes, the middle one may stop first", async ({ port, start }) => {
  const [first, second, third] = [await start(), await start(), await start()];
  const clients = startTcpClients({ port, names: NAMES, fresh: 8, kept: 0, pauseMs: 2 });
  const result = await underLoad(port, "three at once", async () => {
    await calm();
    await stopped(second);
    await stopped(first);
    await until(() => ALONE.test(third.output), "serving alone");
    await calm();
    await clients.stop();
  });
  assertNoneLost(result);
  const { refused, reset, unserved } = clients.counts;
  say(`three at once: ${JSON.stringify(clients.counts)}`);
  assert.deepEqual([refused, reset, unserved], [0, 0, 0]);
});
