import { PERMISSIONS } from "../../../release/permissions.ts";
import { namespaceReasons } from "../namespaces/namespace.ts";
import { MAIN, STARTED } from "../processes/nodens.ts";
import { startProcess, type TestProcess } from "../processes/process.ts";
import { PATIENCE } from "../run/patience.ts";
import { until } from "../run/until.ts";
import { Asker, query } from "./asker.ts";
import { parseSamples, type Samples, sum } from "./metrics.ts";
import {
  type Pod,
  PodNetwork,
  removeStaleNetworks,
  run,
  SERVED,
  type Wiring,
} from "./pod_network.ts";
import { UPSTREAM, Upstream } from "./upstream.ts";

/** Age of the figures that nodens serves, and a margin. */
const COPY_MS = 1_100;
/** Only a fault takes this long. */
const ATTACHED_MS = 30_000 * PATIENCE;
/** Which of `SERVED` a nodens serves. */
export type Side = 0 | 1;

/** Reasons why a rig cannot be made here; for `skipFor`. */
export function podRigReasons(...binaries: string[]): string[] {
  return namespaceReasons("curl", ...binaries);
}

/** Options of a nodens in the rig. */
export interface RigNodensOptions {
  /** Default 0. */
  side?: Side;
  /** Value of `-kernel-hits`; default "auto", null leaves the flag out. */
  kernelHits?: string | null;
  /** Lines of the server block after the addresses; default: errors, cache and forward. */
  directives?: string;
  port?: number;
  args?: readonly string[];
  /** A module instead of main.ts. */
  main?: string;
  /** Control socket and metrics of another process of the same side. */
  instance?: number;
}

/** A nodens in the rig's node. */
export interface RigNodens extends TestProcess {
  readonly control: string;
  /** Reads the metrics, newer than those read before. */
  samples(): Promise<Samples>;
  /** Replaces the directives; they count from the next reload. */
  rewrite(directives: string): void;
  /** Sends SIGHUP and waits until the Corefile has been read. */
  reload(): Promise<void>;
  /** Runs `nodens flush`. */
  flush(...args: string[]): Promise<void>;
}

/** The directives of a block whose hits the kernel may answer. */
export const DIRECTIVES = `errors
  cache 3600
  forward . ${UPSTREAM.hostname}:${UPSTREAM.port}`;

/** A node with pods, an upstream that knows the answers of `answers.ts`, and nodens processes. */
export class PodRig {
  readonly network: PodNetwork;
  readonly pods: readonly [Pod, Pod];
  readonly upstream: Upstream = new Upstream();
  readonly #directory = Deno.makeTempDirSync({ prefix: "nodens_kernel_" });
  readonly #running: TestProcess[] = [];
  readonly #askers: Asker[] = [];

  /** Makes the network and starts the upstream. */
  static async create(wiring: Wiring): Promise<PodRig> {
    removeStaleNetworks();
    const network = new PodNetwork(wiring);
    try {
      const rig = new PodRig(network, [network.addPod(), network.addPod()]);
      await rig.upstream.start(network.node);
      return rig;
    } catch (error) {
      network.remove();
      throw error;
    }
  }

  private constructor(network: PodNetwork, pods: readonly [Pod, Pod]) {
    this.network = network;
    this.pods = pods;
  }

  /** A client in a pod or, without one, on the node, where its socket is connected. */
  asker(
    pod: Pod | null,
    server: string = SERVED.v4[0],
    { port = 53, connected = pod === null } = {},
  ): Asker {
    const namespace = pod?.namespace ?? this.network.node;
    const asker = new Asker(namespace, server, { port, connected });
    this.#askers.push(asker);
    return asker;
  }

  async nodens(options: RigNodensOptions = {}): Promise<RigNodens> {
    const { side = 0, kernelHits = "auto", port = 53, args = [], main = MAIN } = options;
    const { instance = 0 } = options;
    const directory = `${this.#directory}/${side}`;
    const file = `${directory}/Corefile`;
    const control = `${directory}/control${instance}`;
    const metrics = `127.0.0.1:${9300 + 10 * side + instance}`;
    Deno.mkdirSync(directory, { recursive: true });
    const rewrite = (directives: string) => {
      const bind = `bind ${SERVED.v4[side]} ${SERVED.v6[side]}`;
      Deno.writeTextFileSync(`${file}.new`, `.:${port} {\n  ${bind}\n  ${directives}\n}\n`);
      Deno.renameSync(`${file}.new`, file);
    };
    rewrite(options.directives ?? DIRECTIVES);
    const inNode = ["netns", "exec", this.network.node];
    const hits = kernelHits === null ? [] : ["-kernel-hits", kernelHits];
    const deno = [Deno.execPath(), "run", ...PERMISSIONS, main];
    const process = await startProcess("ip", {
      args: [
        ...[...inNode, ...deno, "-conf", file, "-control", control],
        ...["-metrics-listen-address", metrics, ...hits, ...args],
      ],
      ready: (output) => STARTED.test(output),
    });
    this.#running.push(process);
    let readMs = -Infinity;
    return {
      pid: process.pid,
      get output() {
        return process.output;
      },
      ended: process.ended,
      stop: process.stop,
      control,
      rewrite,
      async samples() {
        await pause(readMs + COPY_MS - performance.now());
        const url = `http://${metrics}/metrics`;
        const command = [...inNode, "curl", "-sS", "--fail", "--max-time", "10", url];
        const { success, stdout, stderr } = await new Deno.Command("ip", { args: command })
          .output();
        readMs = performance.now();
        const decoder = new TextDecoder();
        if (success) return parseSamples(decoder.decode(stdout));
        throw new Error(`Cannot read ${url}: ${decoder.decode(stderr)}\n${process.output}`);
      },
      async reload() {
        const ends = () => process.output.match(/Reloading complete|not applied/g) ?? [];
        const before = ends().length;
        Deno.kill(process.pid, "SIGHUP");
        await until(() => ends().length > before, "the reload");
        if (ends().at(-1) === "not applied") throw new Error(process.output);
      },
      async flush(...what) {
        const { success, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", ...PERMISSIONS, MAIN, "flush", "-control", control, ...what],
        }).output();
        if (!success) throw new Error(new TextDecoder().decode(stderr));
      },
    };
  }

  /** Waits until the program is attached somewhere. */
  async untilAttached(nodens: RigNodens): Promise<void> {
    const limitMs = performance.now() + ATTACHED_MS;
    while (sum(await nodens.samples(), "nodens_kernel_interfaces") === 0) {
      if (performance.now() > limitMs) throw new Error(`it is not attached\n${nodens.output}`);
    }
  }

  /** Waits until the kernel answers a client's queries. */
  async untilInKernel(
    nodens: RigNodens,
    asker: Asker,
    name = "al9999.kernel.example",
  ): Promise<void> {
    const limitMs = performance.now() + ATTACHED_MS;
    for (let before = await answersOf(nodens);;) {
      for (let i = 0; i < 10; i++) await asker.ask(query(name));
      const now = await answersOf(nodens);
      if (now > before) return;
      before = now;
      if (performance.now() > limitMs) {
        throw new Error(`the kernel answers nothing\n${nodens.output}`);
      }
    }
  }

  async remove(): Promise<void> {
    for (const process of this.#running.reverse()) {
      // One that a test has stopped would not see SIGTERM.
      try {
        Deno.kill(process.pid, "SIGCONT");
      } catch {
        // It has ended.
      }
      await process.stop();
    }
    for (const asker of this.#askers) await asker.close();
    this.upstream.stop();
    this.network.remove();
    Deno.removeSync(this.#directory, { recursive: true });
  }

  /** Runs a program in the node. */
  inNode(...words: string[]): string {
    return run("ip", "netns", "exec", this.network.node, ...words);
  }
}

/** Number of queries that the kernel has answered. */
export async function answersOf(nodens: RigNodens): Promise<number> {
  return sum(await nodens.samples(), "nodens_kernel_answers_total");
}

/** Resolves after a time, at once if it is negative. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(ms, 0)));
}
