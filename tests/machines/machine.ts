/** Debian's kernels, and emulated machines that boot them. */
import { mustRun } from "../../release/command.ts";
import { isLinux, missing } from "../support/run/require.ts";

const UNPACK = new URL("unpack_debian", import.meta.url).pathname;
export const KERNELS = [
  { suite: "bullseye", series: "5.10" },
  { suite: "bookworm", series: "6.1" },
  { suite: "trixie", series: "6.12" },
] as const;
export type Architecture = "amd64" | "arm64";
/** The smallest kernel with everything for a node. */
const PACKAGE = "linux-image-cloud";
const WITHIN_MS = 1_200_000;
/** No check of timers, which an emulator may fail. */
const COMMAND_LINE = "quiet panic=-1 no_timer_check";
/** Emulators; the console is the serial line. */
const EMULATORS = {
  amd64: { program: "qemu-system-x86_64", options: [], console: "ttyS0" },
  arm64: { program: "qemu-system-aarch64", options: ["-M", "virt"], console: "ttyAMA0" },
} as const;

/** Why no machines can be made here; `tools` are what the caller needs besides. */
export function machineReasons(tools: readonly string[]): string[] {
  const reasons = missing([...tools, EMULATORS.amd64.program, "busybox", "apt-get", "dpkg-deb"]);
  if (!isLinux() || Deno.build.arch !== "x86_64") reasons.push("it needs Linux on x86-64");
  return reasons;
}

/** Downloads the newest kernel of a suite into a folder. */
export async function unpackKernel(
  suite: string,
  folder: string,
  architecture: Architecture = "amd64",
): Promise<void> {
  await run(UNPACK, [folder, architecture, suite, `${PACKAGE}-${architecture}`]);
}

/** The file of the kernel in a folder. */
export function kernelImage(folder: string): string {
  const image = [...Deno.readDirSync(`${folder}/boot`)].find(({ name }) => /^vmlinuz-/.test(name));
  if (image === undefined) throw new Error(`There is no kernel in ${folder}`);
  return `${folder}/boot/${image.name}`;
}

/** Boots a kernel; returns the output until power-off. */
export function boot(
  image: string,
  initrd: string,
  machine: { memoryMiB: number; architecture?: Architecture },
): Promise<string> {
  const { program, options, console } = EMULATORS[machine.architecture ?? "amd64"];
  return run(program, [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
    ...options,
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(machine.memoryMiB)],
    ...["-kernel", image, "-initrd", initrd, "-append", `console=${console} ${COMMAND_LINE}`],
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
