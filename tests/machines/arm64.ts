/** Programs for arm64 on a machine that is none: qemu's emulation of a process, with Debian's C library. */
import { missing } from "../support/run/require.ts";

const UNPACK = new URL("unpack_debian", import.meta.url).pathname;
const PROJECT = new URL("../..", import.meta.url).pathname;
/** Debian's name of the suite that the shipped images are made of. */
const SUITE = "bookworm";
const EMULATOR = "qemu-aarch64-static";
/** Deno for arm64, as its npm package has it. */
const DENO_PACKAGE = `@deno/linux-arm64-glibc@${Deno.version.deno}`;

/** A download takes seconds; a mirror that says nothing is given up. */
const PREPARED_WITHIN_MS = 300_000;

/** Why nothing for arm64 can be run here; for `skipFor`. */
export function arm64Reasons(): string[] {
  const reasons = missing([EMULATOR, "apt-get", "dpkg-deb", "npm", "tar", "dig", "gcc", "unshare"]);
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    reasons.push("a network namespace needs root on Linux");
  }
  return reasons;
}

/** Deno for arm64, ready to run. */
export class Arm64 {
  /** Where the C library of arm64 is, with its headers. */
  readonly root: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(root: string, env: Readonly<Record<string, string>>) {
    this.root = root;
    this.#env = env;
  }

  /** Downloads what it takes into a folder: about 45 MB. */
  static async prepare(folder: string): Promise<Arm64> {
    const root = `${folder}/root`;
    const [file] = await Promise.all([
      run("npm", ["pack", "--silent", "--pack-destination", folder, DENO_PACKAGE]),
      run(UNPACK, [root, "arm64", SUITE, "libc6", "libgcc-s1", "libc6-dev", "linux-libc-dev"]),
    ]);
    const archive = `${folder}/${file.trim().split("\n").at(-1)}`;
    await run("tar", ["-xzf", archive, "-C", root, "--strip-components=1", "package/deno"]);
    // The modules are the same text; this machine's own Deno reads them faster.
    const modules = `${folder}/modules`;
    await run(Deno.execPath(), ["cache", "--lock=dev.lock", "--frozen", "main.ts"], {
      DENO_DIR: modules,
    });
    return new Arm64(root, {
      DENO_DIR: modules,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      NODENS_TEST_PATIENCE: "20",
    });
  }

  /** A command for Deno with these arguments, in the project's folder. */
  command(
    args: readonly string[],
  ): { command: string; args: string[]; env: Record<string, string> } {
    return {
      command: EMULATOR,
      args: ["-L", this.root, `${this.root}/deno`, ...args],
      env: { ...this.#env },
    };
  }

  /** Runs Deno to its end, started by another program (`by`) or directly; gives both streams. */
  async run(
    args: readonly string[],
    withinMs: number,
    by: readonly string[] = [],
  ): Promise<{ code: number; text: string }> {
    const { command, args: all, env } = this.command(args);
    const signal = AbortSignal.timeout(withinMs);
    const words = [...by, command, ...all];
    const { code, stdout, stderr } = await new Deno.Command(words[0]!, {
      args: words.slice(1),
      env,
      cwd: PROJECT,
      signal,
    }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  }
}

async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env,
    cwd: PROJECT,
    signal: AbortSignal.timeout(PREPARED_WITHIN_MS),
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const text = new TextDecoder().decode(stderr);
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${text}`);
}
