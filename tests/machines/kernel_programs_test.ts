/**
 * The program in the kernel on the kernels of Debian 11, 12 and 13, on x86-64 and arm64, each in an
 * emulated machine: the verifier takes it, and what it makes of packets is right.
 */
import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { PROGRAMS } from "../../src/kernel/program/program.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipFor } from "../support/run/require.ts";
import { PACKETS, programsHeader } from "./kernel_programs.ts";
import {
  type Architecture,
  boot,
  kernelImage,
  KERNELS,
  machineReasons,
  packInitramfs,
  unpackKernel,
} from "./machine.ts";

const LOADER = new URL("guest/load_programs.c", import.meta.url).pathname;
const MEMORY_MIB = 512;
const COMPILERS: Readonly<Record<Architecture, string>> = {
  amd64: "gcc",
  arm64: "aarch64-linux-gnu-gcc",
};
const TOOLS = [...Object.values(COMPILERS), "qemu-system-aarch64"];
const ARCHITECTURES = Object.keys(COMPILERS) as Architecture[];

Deno.test({
  name: "the program in the kernel on other kernels",
  ...skipFor(machineReasons(TOOLS)),
  fn: (t) =>
    withFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/programs.h`, programsHeader());
      // A processor each.
      await Promise.all(ARCHITECTURES.map((architecture) => runKernels(t, architecture, folder)));
    }),
});

async function runKernels(t: Deno.TestContext, architecture: Architecture, folder: string) {
  const initrd = await buildInitrd(architecture, folder);
  for (const { suite, series } of KERNELS) {
    await t.step({
      name: `Debian ${suite}, Linux ${series}, ${architecture}`,
      // Steps of the other architecture run meanwhile.
      ...{ sanitizeOps: false, sanitizeResources: false, sanitizeExit: false },
      async fn() {
        const kernel = `${folder}/${architecture}/${suite}`;
        await unpackKernel(suite, kernel, architecture);
        const machine = { memoryMiB: MEMORY_MIB, architecture };
        const printed = await boot(kernelImage(kernel), initrd, machine);
        assert.match(printed, new RegExp(`^KERNEL ${RegExp.escape(series)}\\.`, "m"));
        assert.doesNotMatch(printed, /^FAILED/m, printed);
        const right = [...printed.matchAll(/^RIGHT (\w+): (\d+)\r?$/gm)];
        assert.deepEqual(
          right.map(([, name, count]) => [name, Number(count)]),
          Object.keys(PROGRAMS).map((name) => [name, PACKETS]),
          printed,
        );
      },
    });
  }
}

/** An image whose first process loads the programs. */
async function buildInitrd(architecture: Architecture, folder: string): Promise<string> {
  const root = `${folder}/${architecture}/root`;
  const initrd = `${folder}/${architecture}/initrd`;
  Deno.mkdirSync(root, { recursive: true });
  await mustRun(COMPILERS[architecture], [
    ...["-static", "-O1", "-Wall", "-Wextra", "-Werror", `-I${folder}`],
    ...["-o", `${root}/init`, LOADER],
  ]);
  await packInitramfs(root, initrd);
  return initrd;
}
