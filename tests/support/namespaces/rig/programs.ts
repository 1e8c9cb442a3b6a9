import { type ProcessOptions, startProcess, type TestProcess } from "../../processes/process.ts";
import { have } from "../../run/require.ts";
import { PATIENCE } from "../../run/patience.ts";

/** Which of the kernel's two packet filters `iptables` stands for. */
export type Backend = "nft" | "legacy";

/** What a program left behind that ran to its end. */
export interface ExecResult {
  /** Exit status; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program to its end. */
export interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default 30,000; then it is killed and `exec` throws. */
  readonly timeoutMs?: number;
}

/** How to start a program that stays. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Says from the output so far that it is ready; default: at once. */
  readonly ready?: ProcessOptions["ready"];
}

/** The executables (of the backend that is asked for) that a rig needs. */
export function requiredBinaries(backend: Backend): string[] {
  return ["ip", "mount", "named", `xtables-${backend}-multi`];
}

/** Programs of the iptables family that are given out under their plain names. */
const IPTABLES = ["iptables", "ip6tables"].flatMap((name) =>
  ["", "-save", "-restore"].map((suffix) => name + suffix)
);
const EXEC_TIMEOUT_MS = 30_000 * PATIENCE;
const LAST_OUTPUT_MS = 500;

/**
 * Puts a file of our own in the place of another before the program starts, which happens in a
 * mount namespace that `ip netns exec` has made. The shell becomes the program, and keeps its pid.
 */
const WITH_RESOLV_CONF = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';

/** Runs programs in the namespaces of one rig, each with that namespace's resolv.conf. */
export class Programs {
  readonly #env: Readonly<Record<string, string>>;
  readonly #resolvConfs = new Map<string, string>();
  readonly #running = new Map<number, Promise<unknown>>();

  /**
   * Fills `${directory}/bin` with links to the backend's programs. Those of the folder `programs`
   * come before those of PATH.
   */
  constructor(
    directory: string,
    { backend = "nft", programs }: { backend?: Backend; programs?: string },
  ) {
    const bin = `${directory}/bin`;
    const own = programs === undefined ? "" : `${programs}:`;
    const path = `${own}${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
    Deno.mkdirSync(bin);
    const program = `xtables-${backend}-multi`;
    const folder = path.split(":").find((folder) => folder !== "" && have(`${folder}/${program}`));
    if (folder === undefined) throw new Error(`Cannot find "${program}" in ${path}`);
    for (const name of IPTABLES) Deno.symlinkSync(`${folder}/${program}`, `${bin}/${name}`);
    // Everybody's lock is /run/xtables.lock; others' long waits must not be ours.
    this.#env = { PATH: `${bin}:${path}`, XTABLES_LOCKFILE: `${directory}/xtables.lock` };
  }

  /** Sets the file that programs in a namespace find as /etc/resolv.conf. */
  setResolvConf(namespace: string, file: string): void {
    this.#resolvConfs.set(namespace, file);
  }

  /** Runs a program to its end; throws only where it takes too long or cannot be started. */
  async exec(
    namespace: string,
    command: string,
    args: readonly string[],
    options: ExecOptions = {},
  ): Promise<ExecResult> {
    const child = new Deno.Command("ip", {
      args: this.#arguments(namespace, command, args),
      env: { ...this.#env, ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#keep(child.pid, child.status);
    const timeoutMs = options.timeoutMs ?? EXEC_TIMEOUT_MS;
    const timers: ReturnType<typeof setTimeout>[] = [];
    const late = new Promise<null>((resolve) => {
      timers.push(setTimeout(() => {
        kill(child.pid);
        // What it started may hold its output open for as long as it lives: until `remove`.
        timers.push(setTimeout(() => resolve(null), LAST_OUTPUT_MS));
      }, timeoutMs));
    });
    const output = await Promise.race([child.output(), late]);
    timers.forEach((timer) => clearTimeout(timer));
    const decoder = new TextDecoder();
    const stdout = output === null ? "" : decoder.decode(output.stdout);
    const stderr = output === null ? "" : decoder.decode(output.stderr);
    if (timers.length === 1) return { code: output!.code, stdout, stderr };
    throw new Error(
      `Cannot wait for "${command} ${args.join(" ")}" in ${namespace}: it took more than ` +
        `${timeoutMs} ms\n${stdout}${stderr}`,
    );
  }

  /** Like `exec`, but throws where the exit status is not 0; gives the standard output. */
  async run(namespace: string, command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(namespace, command, args);
    if (code === 0) return stdout;
    throw new Error(
      `Cannot run "${command} ${args.join(" ")}" in ${namespace}: status ${code}\n${stderr.trim()}`,
    );
  }

  /** Starts a program that stays until it is stopped, or until `end`. */
  async start(
    namespace: string,
    command: string,
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<TestProcess> {
    const process = await startProcess("ip", {
      args: this.#arguments(namespace, command, args),
      env: { ...this.#env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ready: options.ready ?? (() => true),
    });
    this.#keep(process.pid, process.ended);
    return process;
  }

  /** Kills what still runs, stopped or not, and waits until it is gone. */
  async end(): Promise<void> {
    const ended = [...this.#running.values()];
    for (const pid of this.#running.keys()) kill(pid);
    await Promise.all(ended);
  }

  #keep(pid: number, ended: Promise<unknown>): void {
    this.#running.set(pid, ended.finally(() => this.#running.delete(pid)));
  }

  #arguments(namespace: string, command: string, args: readonly string[]): string[] {
    const file = this.#resolvConfs.get(namespace);
    const shell = file === undefined ? [] : ["sh", "-c", WITH_RESOLV_CONF, file];
    return ["netns", "exec", namespace, ...shell, command, ...args];
  }
}

/** Kills a process that may have ended meanwhile. */
export function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
