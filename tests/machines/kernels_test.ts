/**
 * The node role on the kernels of Debian 11, 12 and 13, each in an emulated machine. Runs
 * `guest/node_role.ts` and reports its steps.
 */
import assert from "node:assert/strict";
import { withFolder } from "../support/run/folder.ts";
import { skipFor } from "../support/run/require.ts";
import { TOOLS, writeModules, writePrograms } from "./guest_image.ts";
import { boot, KERNELS, machineReasons, unpackKernel } from "./machine.ts";

/** The image takes 200 MB in memory, the programs as much. */
const MEMORY_MIB = 2048;
const STEPS = 14;
const STEP = /^ {2}(\S.*) \.\.\. (ok|FAILED) \(/;

Deno.test({
  name: "the node role on other kernels",
  ...skipFor(machineReasons(TOOLS)),
  fn: (t) =>
    withFolder(async (folder) => {
      const programs = `${folder}/programs`;
      await writePrograms(programs, folder);
      for (const { suite, series } of KERNELS) {
        await t.step(`Debian ${suite}, Linux ${series}`, async (t) => {
          const root = `${folder}/${suite}`;
          await unpackKernel(suite, root);
          const kernel = await writeModules(root, `${root}/modules`);
          assert.match(kernel.release, new RegExp(`^${RegExp.escape(series)}\\.`));
          const initrd = `${root}/initrd`;
          for (const part of [programs, `${root}/modules`]) {
            Deno.writeFileSync(initrd, Deno.readFileSync(part), { append: true });
          }
          const printed = await boot(kernel.image, initrd, { memoryMiB: MEMORY_MIB });
          const steps = printed.split(/[\r\n]+/).flatMap((line) => {
            const [, name, result] = STEP.exec(line) ?? [];
            return name === undefined ? [] : [{ name, result }];
          });
          for (const { name, result } of steps) {
            await t.step(name, () => assert.equal(result, "ok", printed));
          }
          assert.ok(steps.length === STEPS && /^STATUS 0\r?$/m.test(printed), printed);
        });
      }
    }),
});
