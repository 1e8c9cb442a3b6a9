/** What the kernel knows is forgotten with the process, its configuration and its cache. */
import assert from "node:assert/strict";
import { RCODE } from "../../src/dns/constants.ts";
import { type Asker, query } from "../support/kernel/asker.ts";
import { epochOf } from "../support/kernel/expected.ts";
import { answersOf, DIRECTIVES, pause } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";
import { startProcess } from "../support/processes/process.ts";
import { PATIENCE } from "../support/run/patience.ts";
import { until } from "../support/run/until.ts";

const NAME = "al0.kernel.example";
const OTHER = "al1.kernel.example";
/** The heartbeat ends two seconds after its last beat. */
const HEARTBEAT_MS = 3_000 * PATIENCE;
const HOLD = new URL("../support/processes/hold_thread.ts", import.meta.url).pathname;
const PROVOKED = new URL("../support/kernel/provoked_main.ts", import.meta.url).pathname;

/** Asks until nobody answers; fails if that takes longer than the heartbeat lasts. */
async function untilSilent(asker: Asker): Promise<void> {
  const start = performance.now();
  for (;;) {
    const askedMs = performance.now() - start;
    if (await asker.ask(query(NAME), 300) === null) return;
    assert.ok(askedMs < HEARTBEAT_MS, `answered ${Math.round(askedMs)} ms later`);
    await pause(20);
  }
}

rigTest("a killed process answers no longer", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  Deno.kill(nodens.pid, "SIGKILL");
  await nodens.ended;
  await untilSilent(asker);
  // Another one starts from nothing, beside whatever was left.
  rig.upstream.epoch++;
  const next = await rig.nodens({ instance: 1 });
  await rig.untilInKernel(next, asker, NAME);
  const one = query(NAME);
  assert.equal(epochOf(one, await asker.ask(one), 1), 1);
});

rigTest(
  "a suspended process answers for two seconds at most, and again when it goes on",
  async (rig) => {
    const nodens = await rig.nodens();
    const asker = rig.asker(rig.pods[0]);
    await rig.untilInKernel(nodens, asker, NAME);
    Deno.kill(nodens.pid, "SIGSTOP");
    await untilSilent(asker);
    Deno.kill(nodens.pid, "SIGCONT");
    await rig.untilInKernel(nodens, asker, NAME);
  },
);

rigTest("a data plane that hangs answers for two seconds at most", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  const holder = await startProcess(Deno.execPath(), {
    args: ["run", "-A", HOLD, String(nodens.pid)],
    ready: (output) => output.includes("HELD"),
  });
  try {
    await untilSilent(asker);
  } finally {
    await holder.stop();
  }
});

rigTest("a data plane that is replaced answers in the kernel again", async (rig) => {
  const nodens = await rig.nodens({ main: PROVOKED });
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  Deno.kill(nodens.pid, "SIGUSR2");
  await until(() => nodens.output.includes("the data plane failed"), "the failure");
  await rig.untilInKernel(nodens, asker, NAME);
  // The next one begins with an empty cache; until then the last one's answers count.
  rig.upstream.epoch++;
  Deno.kill(nodens.pid, "SIGUSR2");
  const failures = () => nodens.output.split("the data plane failed").length - 1;
  await until(() => failures() === 2, "the second failure");
  const start = performance.now();
  const epoch = async () => {
    const one = query(NAME);
    return epochOf(one, await asker.ask(one, 10_000), 1);
  };
  while (await epoch() !== 1) assert.ok(performance.now() - start < HEARTBEAT_MS, nodens.output);
  for (let i = 0; i < 50; i++) assert.equal(await epoch(), 1);
  await rig.untilInKernel(nodens, asker, NAME);
});

rigTest("a reload counts from its first answer on", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  for (let turn = 1; turn <= 5; turn++) {
    nodens.rewrite(`bufsize ${700 + turn}\n  ${DIRECTIVES}`);
    await nodens.reload();
    const one = query(NAME, 1, { edns: 4096 });
    const answer = await asker.ask(one);
    assert.ok(answer !== null, nodens.output);
    const payload = new DataView(answer.buffer).getUint16(answer.length - 8);
    assert.equal(payload, 700 + turn, nodens.output);
    await rig.untilInKernel(nodens, asker, NAME);
  }
});

rigTest("a reload that refuses clients counts from its first answer on", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  for (let turn = 0; turn < 3; turn++) {
    await rig.untilInKernel(nodens, asker, NAME);
    nodens.rewrite(`acl {\n block\n}\n${DIRECTIVES}`);
    await nodens.reload();
    const before = await answersOf(nodens);
    for (let i = 0; i < 5; i++) {
      const answer = await asker.ask(query(NAME));
      assert.equal(answer && answer[3]! & 15, RCODE.REFUSED, nodens.output);
    }
    assert.equal(await answersOf(nodens), before);
    nodens.rewrite(DIRECTIVES);
    await nodens.reload();
  }
});

rigTest("a reload that drops the cache takes everything back", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  nodens.rewrite(DIRECTIVES.replace("cache 3600", ""));
  await nodens.reload();
  const before = await answersOf(nodens);
  const { asked } = rig.upstream;
  for (let i = 0; i < 5; i++) await asker.ask(query(NAME));
  assert.equal(rig.upstream.asked - asked, 5);
  assert.equal(await answersOf(nodens), before);
  nodens.rewrite(DIRECTIVES);
  await nodens.reload();
  await rig.untilInKernel(nodens, asker, NAME);
});

rigTest("a flushed name is forgotten at once, others are kept", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  for (const name of [NAME, OTHER]) await rig.untilInKernel(nodens, asker, name);
  for (let epoch = 1; epoch <= 3; epoch++) {
    const { asked } = rig.upstream;
    rig.upstream.epoch = epoch;
    const [one, other] = [query(NAME), query(OTHER)];
    assert.equal(epochOf(one, await asker.ask(one), epoch), epoch - 1, "before");
    await nodens.flush(NAME);
    assert.equal(epochOf(one, await asker.ask(one), epoch), epoch, nodens.output);
    assert.equal(epochOf(other, await asker.ask(other), epoch), 0, nodens.output);
    assert.equal(rig.upstream.asked, asked + 1);
    await rig.untilInKernel(nodens, asker, NAME);
  }
  await nodens.flush("-all");
  for (const name of [NAME, OTHER]) {
    const one = query(name);
    assert.equal(epochOf(one, await asker.ask(one), 3), 3, name);
  }
});

rigTest("a roll-over loses no query, and no answer is wrong", async (rig) => {
  let serving = await rig.nodens();
  await rig.untilInKernel(serving, rig.asker(rig.pods[0]), NAME);
  let goesOn = true;
  const counts = { answered: 0, lost: 0, wrong: 0 };
  const clients = Array.from({ length: 6 }, async (_, n) => {
    const asker = rig.asker(n < 4 ? rig.pods[n & 1]! : null);
    for (let i = 0; goesOn; i++) {
      const one = query(`al${i % 20}.kernel.example`);
      const epoch = epochOf(one, await asker.ask(one, 5_000 * PATIENCE), 0);
      if (epoch === 0) counts.answered++;
      else if (epoch === -1) counts.lost++;
      else counts.wrong++;
    }
  });
  const all = Promise.all(clients);
  try {
    for (let instance = 1; instance <= 3; instance++) {
      const next = await rig.nodens({ instance });
      const status = await serving.stop();
      assert.equal(status.code, 0, serving.output);
      serving = next;
      const before = await answersOf(serving);
      await pause(1_500);
      const more = await answersOf(serving) - before;
      assert.ok(more > 0, `the kernel answers nothing for it\n${serving.output}`);
    }
  } finally {
    goesOn = false;
    await all;
  }
  assert.deepEqual([counts.lost, counts.wrong], [0, 0], JSON.stringify(counts));
  assert.ok(counts.answered > 1_000, JSON.stringify(counts));
});

rigTest("a process that stops leaves nothing behind", async (rig) => {
  const nodens = await rig.nodens();
  const asker = rig.asker(rig.pods[0]);
  await rig.untilInKernel(nodens, asker, NAME);
  const status = await nodens.stop();
  assert.equal(status.code, 0, nodens.output);
  assert.equal(await asker.ask(query(NAME), 300), null);
});
