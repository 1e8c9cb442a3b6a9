/** Runs arm64 programs elsewhere: qemu emulates a process, with Debian's C library. */
import { type CommandResult, mustRun, runCommand } from "../../release/command.ts";
import { missing } from "../support/run/require.ts";

const UNPACK = new URL("unpack_debian", import.meta.url).pathname;
const PROJECT = new URL("../..", import.meta.url).pathname;
const SUITE = "bookworm";
const PACKAGES = ["libc6", "libgcc-s1", "libc6-dev", "linux-libc-dev"];
const EMULATOR = "qemu-aarch64-static";
const DENO_PACKAGE = `@deno/linux-arm64-glibc@${Deno.version.deno}`;

/** A download takes seconds; a silent mirror fails. */
const PREPARED_WITHIN_MS = 300_000;

/** Reasons why nothing for arm64 can run here; for `skipFor`. */
export function arm64Reasons(): string[] {
  const reasons = missing([EMULATOR, "apt-get", "dpkg-deb", "npm", "tar", "dig", "gcc", "unshare"]);
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    reasons.push("a network namespace needs root on Linux");
  }
  return reasons;
}

export class Arm64 {
  readonly root: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(root: string, env: Readonly<Record<string, string>>) {
    this.root = root;
    this.#env = env;
  }

  /** Downloads about 45 MB into a folder. */
  static async prepare(folder: string): Promise<Arm64> {
    const root = `${folder}/root`;
    const options = { cwd: PROJECT, signal: AbortSignal.timeout(PREPARED_WITHIN_MS) };
    const [file] = await Promise.all([
      mustRun("npm", ["pack", "--silent", "--pack-destination", folder, DENO_PACKAGE], options),
      mustRun(UNPACK, [root, "arm64", SUITE, ...PACKAGES], options),
    ]);
    const archive = `${folder}/${file.trim().split("\n").at(-1)}`;
    const unpack = ["-xzf", archive, "-C", root, "--strip-components=1", "package/deno"];
    await mustRun("tar", unpack, options);
    // The modules are the same; this machine's Deno reads them faster.
    const modules = `${folder}/modules`;
    const cache = ["cache", "--lock=dev.lock", "--frozen", "main.ts"];
    await mustRun(Deno.execPath(), cache, { ...options, env: { DENO_DIR: modules } });
    return new Arm64(root, {
      DENO_DIR: modules,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      NODENS_TEST_PATIENCE: "20",
    });
  }

  command(
    args: readonly string[],
  ): { command: string; args: string[]; env: Record<string, string> } {
    return {
      command: EMULATOR,
      args: ["-L", this.root, `${this.root}/deno`, ...args],
      env: { ...this.#env },
    };
  }

  /** Runs Deno to its end, started directly or by another program (`by`). */
  run(
    args: readonly string[],
    withinMs: number,
    by: readonly string[] = [],
  ): Promise<CommandResult> {
    const { command, args: all, env } = this.command(args);
    const [first, ...words] = [...by, command, ...all] as [string, ...string[]];
    return runCommand(first, words, { env, cwd: PROJECT, signal: AbortSignal.timeout(withinMs) });
  }
}
