/** Debian's kernels, and emulated machines that boot them. */
import { mustRun } from "../../release/command.ts";
import { isLinux, missing } from "../support/run/require.ts";

const UNPACK = new URL("unpack_debian", import.meta.url).pathname;
export const KERNELS = [
  { suite: "bullseye", series: "5.10" },
  { suite: "bookworm", series: "6.1" },
  { suite: "trixie", series: "6.12" },
] as const;
/** The smallest kernel with everything for a node. */
const PACKAGE = "linux-image-cloud-amd64";
const WITHIN_MS = 1_200_000;
/** Output to the serial line, and no check of timers, which an emulator may fail. */
const COMMAND_LINE = "console=ttyS0 quiet panic=-1 no_timer_check";

/** Why no machines can be made here; `tools` are what the caller needs besides. */
export function machineReasons(tools: readonly string[]): string[] {
  const reasons = missing([...tools, "qemu-system-x86_64", "busybox", "apt-get", "dpkg-deb"]);
  if (!isLinux() || Deno.build.arch !== "x86_64") reasons.push("it needs Linux on x86-64");
  return reasons;
}

/** Downloads the newest kernel of a suite into a folder. */
export async function unpackKernel(suite: string, folder: string): Promise<void> {
  await run(UNPACK, [folder, "amd64", suite, PACKAGE]);
}

/** The file of the kernel in a folder. */
export function kernelImage(folder: string): string {
  const image = [...Deno.readDirSync(`${folder}/boot`)].find(({ name }) => /^vmlinuz-/.test(name));
  if (image === undefined) throw new Error(`There is no kernel in ${folder}`);
  return `${folder}/boot/${image.name}`;
}

/** Boots a kernel; returns the output until power-off. */
export function boot(image: string, initrd: string, memoryMiB: number): Promise<string> {
  return run("qemu-system-x86_64", [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(memoryMiB)],
    ...["-kernel", image, "-initrd", initrd, "-append", COMMAND_LINE],
  ]);
}

/**
 * Packs a folder, owned by root, into an archive that a kernel unpacks before it starts `/init`.
 */
export async function packInitramfs(root: string, archive: string): Promise<void> {
  const script = 'cd "$0" && find . | busybox cpio -o -H newc -R 0:0 >"$1"';
  await run("sh", ["-ec", script, root, archive]);
}

function run(command: string, args: readonly string[]): Promise<string> {
  return mustRun(command, args, { signal: AbortSignal.timeout(WITHIN_MS) });
}
