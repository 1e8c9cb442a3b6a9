import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { systemClock } from "../../src/base/clock.ts";
import { PROGRAMS } from "../../src/kernel/program/program.ts";
import {
  attachTcx,
  type BpfArray,
  BpfError,
  closeDescriptor,
  createArray,
  type KernelProgram,
  loadProgram,
  mapArray,
  programId,
  programName,
  queryTcx,
  readPerCpu,
} from "../../src/sys/bpf/bpf.ts";
import { ERRNO } from "../../src/sys/constants.ts";
import { KernelTree } from "../../src/sys/kernel_file.ts";
import { kernelReasons, MAP_SIZES } from "../support/kernel/program_rig.ts";
import { eventually } from "../support/run/eventually.ts";
import { missing, skipFor } from "../support/run/require.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

const SKIP = skipFor(kernelReasons());
const LIMIT_MS = 60_000;
const NO_DEVICE = 2 ** 30;
/** mov r0, -1; exit */
const SMALLEST = program([0xb7, 0, 0, 0, 255, 255, 255, 255, 0x95, 0, 0, 0, 0, 0, 0, 0]);

function program(code: readonly number[]): KernelProgram {
  return {
    name: "nodens_test",
    code: btoa(String.fromCharCode(...code)),
    relocations: [],
    scratch: null,
  };
}

function fails(errno: number, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof BpfError);
    assert.match(error.message, message);
    assert.equal(error.errno, errno, error.message);
    return true;
  };
}

function arrays(): Map<string, BpfArray> {
  return new Map(
    Object.entries(MAP_SIZES).map(([name, size]) => [name, createArray(name, size)]),
  );
}

/** Descriptors of programs that this process has. */
function programDescriptors(): number {
  const tree = new KernelTree();
  return tree.list("/proc/self/fd")
    .filter((fd) => tree.readLink(`/proc/self/fd/${fd}`) === "anon_inode:bpf-prog").length;
}

Deno.test({
  name: "an array is shared by all its mappings, and outlives its descriptor",
  ...SKIP,
  fn() {
    const array = createArray("shared", { valueSize: 8, entries: 1000 });
    const [first, second] = [mapArray(array), mapArray(array)];
    closeDescriptor(array.fd);
    assert.equal(first.memory.byteLength, 8000);
    new Uint32Array(first.memory)[1999] = 7;
    assert.equal(new Uint32Array(second.memory)[1999], 7);
    first.unmap();
    second.unmap();
  },
});

Deno.test({
  name: "a per-CPU array begins with zeros and cannot be mapped",
  ...SKIP,
  fn() {
    const array = createArray("counts", { valueSize: 64, entries: 1, perCpu: true });
    assert.deepEqual(readPerCpu(array), new Array(8).fill(0));
    assert.throws(() => mapArray(array), BpfError);
    closeDescriptor(array.fd);
  },
});

Deno.test({
  name: "a program is loaded, named and attached; its link takes it away",
  ...SKIP,
  async fn() {
    const fd = await loadProgram(SMALLEST, new Map(), LIMIT_MS, systemClock);
    const id = programId(fd);
    assert.equal(programName(id), "nodens_test");
    try {
      queryTcx(1, "egress");
    } catch (error) {
      // Before Linux 6.6.
      fails(ERRNO.INVAL, /^Cannot list the programs of the interface 1: /)(error);
      closeDescriptor(fd);
      return;
    }
    const others = queryTcx(1, "ingress");
    const link = attachTcx(fd, 1);
    assert.deepEqual(queryTcx(1, "ingress"), [id, ...others], "before all others");
    assert.ok(!queryTcx(1, "egress").includes(id));
    closeDescriptor(link);
    assert.ok(!queryTcx(1, "ingress").includes(id));
    const attach = () => attachTcx(fd, NO_DEVICE);
    assert.throws(attach, fails(ERRNO.NODEV, /^Cannot attach a program to the interface \d+: no /));
    assert.throws(() => queryTcx(NO_DEVICE, "ingress"), fails(ERRNO.NODEV, /^Cannot list/));
    closeDescriptor(fd);
    assert.equal(programName(id), "", "it is gone");
  },
});

Deno.test({
  name: "what the verifier refuses is told with its reason, and leaves no descriptor",
  ...SKIP,
  async fn() {
    const before = programDescriptors();
    const refused = loadProgram(
      program([0x95, 0, 0, 0, 0, 0, 0, 0]),
      new Map(),
      60_000,
      systemClock,
    );
    await assert.rejects(refused, (error: BpfError) => {
      fails(ERRNO.ACCES, /^Cannot load .*"nodens_test": the kernel's verifier refuses it: R0 /)(
        error,
      );
      assert.match(error.verifierLog, /R0 !read_ok/);
      return true;
    });
    const broken = loadProgram(program([]), new Map(), LIMIT_MS, systemClock);
    await assert.rejects(broken, (error: BpfError) => error.verifierLog === "" && error.errno > 0);
    const lacking = loadProgram(PROGRAMS.tc_local, new Map(), LIMIT_MS, systemClock);
    await assert.rejects(lacking, /^TypeError: Program "nodens_hits" lacks map "conf"$/);
    assert.equal(programDescriptors(), before);
  },
});

Deno.test({
  name: "a load that takes too long fails, and what comes of it later is closed",
  ...SKIP,
  async fn() {
    const before = programDescriptors();
    const maps = arrays();
    const clock = new VirtualClock();
    const loading = loadProgram(PROGRAMS.tc_local, maps, 10, clock);
    const late = assert.rejects(loading, fails(ERRNO.TIMEDOUT, /in 10 ms: connection timed out$/));
    await clock.advance(10);
    await late;
    // As long a load that began later: the first has ended too.
    closeDescriptor(await loadProgram(PROGRAMS.tc_local, maps, LIMIT_MS, systemClock));
    await eventually(() => assert.equal(programDescriptors(), before));
    for (const { fd } of maps.values()) closeDescriptor(fd);
  },
});

const BOUNDS: { capabilities: string; expected: RegExp }[] = [
  { capabilities: "+bpf,+net_admin,+perfmon", expected: /^$/ },
  { capabilities: "+sys_admin,+net_admin", expected: /^$/ },
  { capabilities: "+bpf,+net_admin", expected: /verifier refuses it: .*\(it needs .* PERFMON\)$/ },
  { capabilities: "+bpf", expected: /^Cannot load .*: operation not permitted \(it needs the / },
];

for (const { capabilities, expected } of BOUNDS) {
  Deno.test({
    name: `a program is loaded with capabilities ${capabilities}, or the missing one is named`,
    ...skipFor([...kernelReasons(), ...missing(["setpriv"])]),
    async fn() {
      const child = new URL("bpf_child.ts", import.meta.url).pathname;
      const text = await mustRun("setpriv", [
        `--bounding-set=-all,${capabilities}`,
        ...["--inh-caps=-all", Deno.execPath(), "run", "-A", "--no-check", "--quiet", child],
      ]);
      assert.match(text, expected);
    },
  });
}
