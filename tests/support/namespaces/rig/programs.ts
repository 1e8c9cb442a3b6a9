import { type ProcessOptions, startProcess, type TestProcess } from "../../processes/process.ts";
import { have } from "../../run/require.ts";
import { PATIENCE } from "../../run/patience.ts";

export type Backend = "nft" | "legacy";

export interface ExecResult {
  /** Exit status; 128 plus the signal's number after a signal. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default 30,000; afterwards the program is killed and `exec` throws. */
  readonly timeoutMs?: number;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly ready?: ProcessOptions["ready"];
}

/** Executables that a rig needs. */
export function requiredBinaries(backend: Backend): string[] {
  return ["ip", "mount", "named", `xtables-${backend}-multi`];
}

const IPTABLES = ["iptables", "ip6tables"].flatMap((name) =>
  ["", "-save", "-restore"].map((suffix) => name + suffix)
);
const EXEC_TIMEOUT_MS = 30_000 * PATIENCE;
const LAST_OUTPUT_MS = 500;

/**
 * Mounts our resolv.conf in the mount namespace that `ip netns exec` made. The shell becomes the
 * program and keeps its pid.
 */
const WITH_RESOLV_CONF = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';

/** Runs programs in the namespaces of a rig, each with its resolv.conf. */
export class Programs {
  readonly #env: Readonly<Record<string, string>>;
  readonly #resolvConfs = new Map<string, string>();
  readonly #running = new Map<number, Promise<unknown>>();

  /**
   * Fills `${directory}/bin` with links to the backend's programs. Those in the folder `programs`
   * precede those of PATH.
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
    // The default lock, /run/xtables.lock, is machine-wide.
    this.#env = { PATH: `${bin}:${path}`, XTABLES_LOCKFILE: `${directory}/xtables.lock` };
  }

  setResolvConf(namespace: string, file: string): void {
    this.#resolvConfs.set(namespace, file);
  }

  /** Runs a program to its end; throws after its time limit. */
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
        // Its children may hold the output open until `remove`.
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

  /** Like `exec`, but throws on failure; returns the standard output. */
  async run(namespace: string, command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.exec(namespace, command, args);
    if (code === 0) return stdout;
    throw new Error(
      `Cannot run "${command} ${args.join(" ")}" in ${namespace}: status ${code}\n${stderr.trim()}`,
    );
  }

  /** Starts a program, which runs until `end` at the latest. */
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

  /** Kills all running programs and waits for their end. */
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

export function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
