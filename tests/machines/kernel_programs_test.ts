/**
 * The program in the kernel on the kernels of Debian 11, 12 and 13, each in an emulated machine: the
 * verifier takes it, and what it makes of packets is right.
 */
import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { skipFor } from "../support/run/require.ts";
import { programsHeader, RUNS } from "./kernel_programs.ts";
import {
  boot,
  kernelImage,
  KERNELS,
  machineReasons,
  packInitramfs,
  unpackKernel,
} from "./machine.ts";

const LOADER = new URL("guest/load_programs.c", import.meta.url).pathname;
const MEMORY_MIB = 256;

Deno.test({
  name: "the program in the kernel on other kernels",
  ...skipFor(machineReasons(["gcc"])),
  fn: (t) =>
    withFolder(async (folder) => {
      const root = `${folder}/root`;
      const initrd = `${folder}/initrd`;
      Deno.mkdirSync(root);
      Deno.writeTextFileSync(`${folder}/programs.h`, programsHeader());
      await mustRun("gcc", [
        ...["-static", "-O1", "-Wall", "-Wextra", "-Werror", `-I${folder}`],
        ...["-o", `${root}/init`, LOADER],
      ]);
      await packInitramfs(root, initrd);
      for (const { suite, series } of KERNELS) {
        await t.step(`Debian ${suite}, Linux ${series}`, async () => {
          const kernel = `${folder}/${suite}`;
          await unpackKernel(suite, kernel);
          const printed = await boot(kernelImage(kernel), initrd, MEMORY_MIB);
          assert.match(printed, new RegExp(`^KERNEL ${RegExp.escape(series)}\\.`, "m"));
          assert.doesNotMatch(printed, /^FAILED/m, printed);
          const lines = (pattern: RegExp) => printed.match(pattern)?.length ?? 0;
          assert.deepEqual([lines(/^LOADED /gm), lines(/^RIGHT /gm)], [3, RUNS], printed);
          for (const line of printed.match(/^LOADED .*$/gm)!) say(`${series}: ${line.trim()}`);
        });
      }
    }),
});

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
