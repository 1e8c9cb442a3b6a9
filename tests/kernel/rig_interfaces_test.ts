/** Interfaces come and go, and so do programs of others. */
import assert from "node:assert/strict";
import { openLibc } from "../../src/sys/libc.ts";
import { systemClock } from "../../src/base/clock.ts";
import {
  attachTcx,
  closeDescriptor,
  loadProgram,
  programName,
  queryTcx,
} from "../../src/sys/bpf/bpf.ts";
import { query } from "../support/kernel/asker.ts";
import { epochOf } from "../support/kernel/expected.ts";
import { inside } from "../support/kernel/inside.ts";
import { sum } from "../support/kernel/metrics.ts";
import { answersOf, type PodRig } from "../support/kernel/pod_rig.ts";
import { rigTest } from "../support/kernel/rig_test_case.ts";
import { eventually } from "../support/run/eventually.ts";

const NAME = "al0.kernel.example";

/** Names of the programs that are attached to an interface of the node. */
function programsOf(rig: PodRig, device: string): string[] {
  return inside(rig.network.node, () => queryTcx(indexOf(device), "ingress").map(programName));
}

/** Within a namespace. */
function indexOf(device: string): number {
  return openLibc().if_nametoindex(new TextEncoder().encode(`${device}\0`));
}

/** A program that lets all packets go on. */
function loadForeign(): Promise<number> {
  const code = new Uint8Array(16);
  const view = new DataView(code.buffer);
  // r0 = TCX_NEXT; exit
  view.setUint8(0, 0xb7);
  view.setInt32(4, -1, true);
  view.setUint8(8, 0x95);
  const program = {
    name: "foreign",
    code: btoa(String.fromCharCode(...code)),
    relocations: [],
    scratch: null,
  };
  return loadProgram(program, new Map(), 10_000, systemClock);
}

for (const kernelHits of ["off", null]) {
  rigTest(
    `no program is attached ${kernelHits === null ? "without the flag" : "if it is off"}`,
    async (rig) => {
      const nodens = await rig.nodens({ kernelHits });
      const asker = rig.asker(rig.pods[0]);
      for (let i = 0; i < 10; i++) await asker.ask(query(NAME));
      for (const device of ["lo", "pod0", "pod1"]) assert.deepEqual(programsOf(rig, device), []);
      assert.equal(await answersOf(nodens), 0);
      assert.doesNotMatch(nodens.output, /kernel hits/);
    },
  );
}

rigTest("only interfaces that are named get the program", async (rig) => {
  const nodens = await rig.nodens({ kernelHits: "pod1" });
  await rig.untilInKernel(nodens, rig.asker(rig.pods[1]));
  assert.deepEqual(programsOf(rig, "pod1"), ["nodens_hits"]);
  for (const device of ["lo", "pod0"]) assert.deepEqual(programsOf(rig, device), []);
  assert.equal((await nodens.stop()).code, 0, nodens.output);
  assert.deepEqual(programsOf(rig, "pod1"), []);
});

for (const wiring of ["veth", "bridge"] as const) {
  rigTest(
    `a pod that comes on a ${wiring} is answered by the kernel, others go on when it ends`,
    async (rig) => {
      const nodens = await rig.nodens();
      const first = rig.asker(rig.pods[0]);
      await rig.untilInKernel(nodens, first, NAME);
      const pod = rig.network.addPod();
      const asker = rig.asker(pod);
      await rig.untilInKernel(nodens, asker, NAME);
      rig.network.removePod(rig.pods[1]);
      rig.network.unplug(pod);
      await rig.untilInKernel(nodens, first, NAME);
      rig.network.plug(pod);
      await rig.untilInKernel(nodens, asker, NAME);
      assert.doesNotMatch(nodens.output, /WARNING|ERROR/);
    },
    { wiring },
  );
}

rigTest("a program of others that comes later is given way, until it goes", async (rig) => {
  const nodens = await rig.nodens();
  const [asker, local] = [rig.asker(rig.pods[0]), rig.asker(null)];
  await rig.untilInKernel(nodens, asker, NAME);
  const program = await loadForeign();
  const link = inside(rig.network.node, () => attachTcx(program, indexOf("pod1")));
  await eventually(() => {
    for (const device of ["pod0", "pod1"]) {
      assert.ok(!programsOf(rig, device).includes("nodens_hits"), `${device}\n${nodens.output}`);
    }
  });
  const before = await answersOf(nodens);
  for (let i = 0; i < 5; i++) {
    const one = query(NAME);
    assert.equal(epochOf(one, await asker.ask(one), 0), 0);
  }
  const samples = await nodens.samples();
  assert.equal(sum(samples, "nodens_kernel_answers_total"), before);
  assert.equal(sum(samples, "nodens_kernel_hits_refusals", { reason: "foreign" }), 1);
  assert.equal(nodens.output.match(/WARNING.*kernel hits/g)?.length, 1, nodens.output);
  // The node's own programs pass no pod's interface.
  await rig.untilInKernel(nodens, local, NAME);
  closeDescriptor(link);
  closeDescriptor(program);
  await rig.untilInKernel(nodens, asker, NAME);
  assert.equal(
    sum(await nodens.samples(), "nodens_kernel_hits_refusals", { reason: "foreign" }),
    0,
  );
});
