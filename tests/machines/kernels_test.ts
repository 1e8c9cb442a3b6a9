/**
 * The node role on the kernels of Debian 11, 12 and 13, each in an emulated machine. Runs
 * `guest/node_role.ts` and reports its steps.
 */
import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { withFolder } from "../support/run/folder.ts";
import { isLinux, missing, skipFor } from "../support/run/require.ts";
import { TOOLS, writeModules, writePrograms } from "./guest_image.ts";

const UNPACK = new URL("unpack_debian", import.meta.url).pathname;
const KERNELS = [
  { suite: "bullseye", series: "5.10" },
  { suite: "bookworm", series: "6.1" },
  { suite: "trixie", series: "6.12" },
] as const;
/** The smallest kernel with everything for a node. */
const PACKAGE = "linux-image-cloud-amd64";
/** The image takes 200 MB in memory, the programs as much. */
const MEMORY_MIB = 2048;
const WITHIN_MS = 1_200_000;
/** Output to the serial line, and no check of timers, which an emulator may fail. */
const COMMAND_LINE = "console=ttyS0 quiet panic=-1 no_timer_check";
const STEPS = 14;
const STEP = /^ {2}(\S.*) \.\.\. (ok|FAILED) \(/;

const reasons = missing([...TOOLS, "apt-get", "dpkg-deb"]);
if (!isLinux() || Deno.build.arch !== "x86_64") {
  reasons.push("it needs Linux on x86-64");
}

Deno.test({
  name: "the node role on other kernels",
  ...skipFor(reasons),
  fn: (t) =>
    withFolder(async (folder) => {
      const programs = `${folder}/programs`;
      await writePrograms(programs, folder);
      for (const { suite, series } of KERNELS) {
        await t.step(`Debian ${suite}, Linux ${series}`, async (t) => {
          const root = `${folder}/${suite}`;
          await run(UNPACK, [root, "amd64", suite, PACKAGE]);
          const kernel = await writeModules(root, `${root}/modules`);
          assert.match(kernel.release, new RegExp(`^${RegExp.escape(series)}\\.`));
          const initrd = `${root}/initrd`;
          for (const part of [programs, `${root}/modules`]) {
            Deno.writeFileSync(initrd, Deno.readFileSync(part), { append: true });
          }
          const printed = await boot(kernel.image, initrd);
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

/** Boots a kernel; returns the output until power-off. */
function boot(image: string, initrd: string): Promise<string> {
  return run("qemu-system-x86_64", [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(MEMORY_MIB)],
    ...["-kernel", image, "-initrd", initrd, "-append", COMMAND_LINE],
  ]);
}

function run(command: string, args: readonly string[]): Promise<string> {
  return mustRun(command, args, { signal: AbortSignal.timeout(WITHIN_MS) });
}
