import { type RunCommand, runCommand } from "../../../src/node/rules/command.ts";
import { missing, rootReasons } from "../run/require.ts";
import { Namespace } from "./namespace.ts";

export function namespaceReasons(): string[] {
  const binaries = ["ip", "flock", "setpriv", "iptables-nft-save", "iptables-legacy-save"];
  return [...rootReasons(), ...missing(binaries)];
}

export class NetNamespace {
  readonly #namespace = new Namespace();
  /** /run of the programs inside. */
  readonly runDirectory: string = Deno.makeTempDirSync({ prefix: "nodens_run_" });

  wrap(binary: string, args: readonly string[]): [string, ...string[]] {
    const script = 'mount --bind "$0" /run && exec "$@"';
    const command = ["sh", "-c", script, this.runDirectory, binary, ...args];
    return ["ip", ...this.#namespace.exec(...command)];
  }

  async exec(binary: string, ...args: string[]): Promise<string> {
    return await must(...this.wrap(binary, args));
  }

  async restore(binary: string, input: string): Promise<void> {
    const [command, ...args] = this.wrap(binary, ["--noflush", "-w", "5"]);
    const result = await runCommand(command, { args, input, timeoutMs: 30_000 });
    if (result?.code !== 0) throw new Error(`Cannot restore with ${binary}: ${result?.stderr}`);
  }

  /** Runs commands of these backends inside; others do not exist. */
  runner(backends: readonly string[], prefix: readonly string[] = []): RunCommand {
    return (binary, { args, ...options }) => {
      if (!backends.some((backend) => binary.includes(`-${backend}-`))) {
        return Promise.resolve(null);
      }
      const words = [...prefix, binary, ...args];
      const [command, ...rest] = this.wrap(words[0]!, words.slice(1));
      return runCommand(command, { ...options, args: rest });
    };
  }

  /** Rules as iptables-save prints them, as `table: -A …`. */
  async rules(backend: string, family: 4 | 6 = 4): Promise<string[]> {
    const text = await this.exec(`${family === 4 ? "iptables" : "ip6tables"}-${backend}-save`);
    let table = "";
    return text.split("\n").flatMap((line) => {
      if (line.startsWith("*")) table = line.slice(1);
      return line.startsWith("-A ") ? [`${table}: ${line}`] : [];
    });
  }

  remove(): void {
    this.#namespace.remove();
    Deno.removeSync(this.runDirectory, { recursive: true });
  }
}

async function must(...[command, ...args]: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command!, { args }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${decoder.decode(stderr)}`);
}
