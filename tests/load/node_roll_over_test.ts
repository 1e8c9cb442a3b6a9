/** Two nodens processes on a node: only the last one to stop removes interface and rules. */
import assert from "node:assert/strict";
import { until } from "../support/run/until.ts";
import { skipFor } from "../support/run/require.ts";
import {
  engaged,
  hostState,
  LINK_LOCAL,
  startNodeCache,
  TEMPLATE,
  untilAnswers,
  whoAnswers,
} from "../support/namespaces/node_cache.ts";
import { KUBE_DNS, NodeRig, type RigNodens, rigReasons } from "../support/namespaces/node_rig.ts";
import type { DnsperfResult } from "../support/namespaces/rig/dnsperf.ts";
import { killBeforeBound } from "../support/processes/early_kill.ts";
import { startAsker } from "../support/processes/tcp_asker.ts";

const NAMES = Array.from({ length: 500 }, (_, i) => `n${i}.load.cluster.local`);
/** Per second, from each of two pods. */
const QPS = 10_000;
const BESIDE = /another process is bound to .*; starting beside it/;
const ALONE = /the other process has stopped; serving alone/;

const onRig = skipFor(rigReasons({ programs: ["dig", "dnsperf", "ss"] }));

function test(name: string, use: (rig: NodeRig) => Promise<void>): void {
  Deno.test(name, onRig, async () => {
    await using rig = await NodeRig.create();
    await use(rig);
  });
}

const log = (nodens: RigNodens, line: RegExp) =>
  until(() => line.test(nodens.output), `${line} in ${nodens.output}`);

async function start(rig: NodeRig): Promise<RigNodens> {
  const nodens = await startNodeCache(rig);
  await engaged(nodens);
  return nodens;
}

async function stopped(nodens: RigNodens): Promise<void> {
  assert.equal((await nodens.stop()).code, 0, nodens.output);
  assert.doesNotMatch(nodens.output, /\[(ERROR|FATAL)\]/);
}

async function killed(nodens: RigNodens): Promise<void> {
  Deno.kill(nodens.pid, "SIGKILL");
  await nodens.ended;
}

/** Processes that receive UDP queries. */
async function receivers(rig: NodeRig): Promise<number> {
  const list = ["-Hlnu", "src", `${LINK_LOCAL}:53`];
  const { stdout } = await rig.exec(rig.nodes[0]!.namespace, "ss", list);
  return stdout.trim().split("\n").length;
}

/** Waits until only one process receives UDP queries. */
async function turnedAway(rig: NodeRig): Promise<void> {
  while (await receivers(rig) > 1);
}

/** Load from both pods over UDP during `work`, in runs of three seconds. */
async function underLoad(rig: NodeRig, work: () => Promise<void>): Promise<DnsperfResult[]> {
  const pods = rig.nodes[0]!.pods.map(({ namespace }) => namespace);
  const load = { server: KUBE_DNS.v4, names: NAMES, clients: 4, timeoutSeconds: 5 };
  await rig.dnsperf(pods[0]!, { ...load, qps: 1000, seconds: 1 });
  let working = true;
  const runs = (async () => {
    const results: DnsperfResult[] = [];
    while (working) {
      results.push(
        ...await Promise.all(
          pods.map((pod) => rig.dnsperf(pod, { ...load, qps: QPS, seconds: 3 })),
        ),
      );
    }
    return results;
  })();
  runs.catch(() => {});
  try {
    await work();
  } finally {
    working = false;
  }
  return await runs;
}

function assertNoneLost(results: readonly DnsperfResult[]): void {
  for (const { sent, lost, completed, rcodes, text } of results) {
    assert.ok(sent > QPS / 2, text);
    assert.equal(lost, 0, text);
    assert.deepEqual(rcodes, { NOERROR: completed }, text);
  }
}

function say(what: string, results: readonly DnsperfResult[]): void {
  const sum = (key: "sent" | "lost") => results.reduce((total, one) => total + one[key], 0);
  const line = `${what}: ${sum("lost")} of ${sum("sent")} queries lost\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}

/** Waits until nodens answers a pod and the host, over UDP and TCP. */
async function answersAll(rig: NodeRig): Promise<void> {
  const { namespace, pods } = rig.nodes[0]!;
  for (const from of [namespace, pods[0]!.namespace]) {
    for (const words of [[], ["+tcp"]]) {
      await untilAnswers("cache", () => whoAnswers(rig, from, KUBE_DNS.v4, ...words));
    }
  }
}

test("roll-over: ten in a row on a node at 20,000 queries per second lose none", async (rig) => {
  const before = await hostState(rig);
  let serving = await start(rig);
  const whole = await hostState(rig);
  const asker = await startAsker(rig, KUBE_DNS.v4, NAMES[0]!);
  const results = await underLoad(rig, async () => {
    for (let turn = 0; turn < 10; turn++) {
      const next = await start(rig);
      assert.match(next.output, BESIDE);
      await stopped(serving);
      await log(next, ALONE);
      assert.doesNotMatch(next.output, /put in order|changed from outside/);
      serving = next;
    }
  });
  say("ten roll-overs on a node", results);
  assertNoneLost(results);
  assert.deepEqual(await hostState(rig), whole);
  const { ended } = await asker.stop();
  assert.ok(ended <= 10, `${ended} connections ended`);
  await stopped(serving);
  assert.deepEqual(await hostState(rig), before);
});

test("roll-over: a stopped or killed process leaves the rules to the other", async (rig) => {
  const before = await hostState(rig);
  let first = await start(rig);
  const whole = await hostState(rig);
  for (const goes of ["new", "old"] as const) {
    for (const end of [stopped, killed]) {
      const second = await start(rig);
      await end(goes === "new" ? second : first);
      if (goes === "old") first = second;
      assert.deepEqual(await hostState(rig), whole, goes);
      await answersAll(rig);
    }
  }
  assert.doesNotMatch(first.output, /changed from outside/);
  await stopped(first);
  assert.deepEqual(await hostState(rig), before);
});

test("roll-over: a new process killed before it serves removes and loses nothing", async (rig) => {
  const first = await start(rig);
  const whole = await hostState(rig);
  const results = await underLoad(rig, async () => {
    let kills = 0;
    for (let i = 0; i < 20 && kills < 5; i++) {
      const next = await startNodeCache(rig, { ready: (output) => BESIDE.test(output) });
      if (await killBeforeBound(next, async () => await receivers(rig) > 1)) kills++;
      assert.deepEqual(await hostState(rig), whole);
    }
    assert.equal(kills, 5);
    // So does one that cannot start.
    const broken = `${TEMPLATE}\n.:53 {\n bind 192.0.2.9\n whoami\n}\n`;
    await assert.rejects(startNodeCache(rig, { template: broken }), /192\.0\.2\.9/);
    assert.deepEqual(await hostState(rig), whole);
  });
  say("new ones killed before they served", results);
  assertNoneLost(results);
  assert.doesNotMatch(first.output, /changed from outside/);
  await stopped(first);
});

test("roll-over: an old process killed while it drains removes and loses nothing", async (rig) => {
  let first = await start(rig);
  const whole = await hostState(rig);
  const results = await underLoad(rig, async () => {
    for (let i = 0; i < 3; i++) {
      // A client that queries constantly keeps the old process draining.
      const asker = await startAsker(rig, KUBE_DNS.v4, NAMES[0]!);
      const next = await start(rig);
      Deno.kill(first.pid, "SIGTERM");
      await turnedAway(rig);
      await killed(first);
      assert.equal((await first.ended).signal, "SIGKILL");
      await asker.stop();
      assert.deepEqual(await hostState(rig), whole);
      first = next;
    }
  });
  say("old ones killed while they drained", results);
  assertNoneLost(results);
  await answersAll(rig);
  await stopped(first);
});

test("roll-over: two processes that stop at once remove everything", async (rig) => {
  const before = await hostState(rig);
  for (let i = 0; i < 5; i++) {
    const [first, second] = [await start(rig), await start(rig)];
    // From simultaneous to well separated.
    const ending = first.stop();
    await new Promise((resolve) => setTimeout(resolve, 20 * i));
    const ended = await Promise.all([ending, second.stop()]);
    assert.deepEqual(ended.map(({ code }) => code), [0, 0], first.output + second.output);
    assert.deepEqual(await hostState(rig), before, first.output + second.output);
  }
});

test("roll-over: two processes start at once, and the last removes everything", async (rig) => {
  const before = await hostState(rig);
  for (let i = 0; i < 3; i++) {
    const both = await Promise.all([start(rig), start(rig)]);
    await answersAll(rig);
    const { links } = await hostState(rig);
    assert.ok(links.some((one) => one.endsWith(`nodelocaldns inet ${LINK_LOCAL}/32`)));
    await stopped(both[i % 2]!);
    await answersAll(rig);
    await stopped(both[1 - i % 2]!);
    assert.deepEqual(await hostState(rig), before, both.map(({ output }) => output).join("\n"));
  }
});

test("metrics port: another program there is logged and keeps it", async (rig) => {
  const node = rig.nodes[0]!;
  const code = "Deno.listen({ port: 9353 }); console.log('UP'); setTimeout(() => {}, 120000);";
  await rig.startIn(node.namespace, Deno.execPath(), ["eval", code], {
    ready: (output) => output.includes("UP"),
  });
  const first = await start(rig);
  const told = /\[ERROR\] no metrics on 0\.0\.0\.0:9353: .* \(-metrics-listen-address\)/;
  await log(first, told);
  const second = await start(rig);
  assert.match(second.output, told);
  await killed(second);
  await answersAll(rig);
});

Deno.test({
  name: "root without capabilities cannot get a socket or share the addresses",
  ...skipFor(rigReasons({ programs: ["dig", "setpriv"] })),
  async fn() {
    await using rig = await NodeRig.create();
    const nodens = await start(rig);
    const code = `
      const names = Deno.readTextFileSync("/proc/net/unix").match(/@.*nodens.*/g) ?? [];
      for (const name of names) console.log(name);
      for (const hostname of ["${LINK_LOCAL}", "${KUBE_DNS.v4}"]) {
        try {
          Deno.listen({ hostname, port: 53, reusePort: true });
          console.log("bound");
        } catch (error) {
          console.log(error.name);
        }
      }`;
    const powerless = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
    const { stdout } = await rig.exec(rig.nodes[0]!.namespace, "setpriv", [
      ...powerless,
      ...[Deno.execPath(), "eval", code],
    ]);
    assert.equal(stdout, "PermissionDenied\nPermissionDenied\n");
    await answersAll(rig);
    await stopped(nodens);
  },
});
