import assert from "node:assert/strict";
import { compile, ROOT } from "../../release/compile.ts";
import { readGraph } from "../../release/graph.ts";
import { readOrigin } from "../../release/origin.ts";
import { PERMISSIONS } from "../../release/permissions.ts";
import { stage } from "../../release/staging.ts";
import { TARGETS } from "../../release/targets.ts";
import { IMAGE, ImageRoot, type RunOptions } from "./image_root.ts";
import { Namespace } from "./net_namespace.ts";
import { startProcess, type TestProcess } from "./net_process.ts";

/** Address of the machine that an image runs on. */
export const SERVER = "192.0.2.53";
const STARTED = /^nodens \d+\.\d+\.\d+, deno /m;
const READY_WITHIN_MS = 60_000;

/** A root with nodens in it, a network for it to run in, and where it is asked from. */
export class ImageRun {
  readonly root: ImageRoot;
  readonly server: Namespace;
  readonly client: Namespace;
  readonly #program: Program;

  private constructor(root: ImageRoot, program: Program) {
    this.root = root;
    this.#program = program;
    const [server, client] = [new Namespace(), new Namespace()];
    const peer = ["peer", "name", "eth0", "netns", client.name];
    server.ip("link", "add", "eth0", "type", "veth", ...peer);
    for (const [one, address] of [[server, SERVER], [client, "192.0.2.2"]] as const) {
      one.ip("address", "add", `${address}/24`, "dev", "eth0");
      one.ip("link", "set", "eth0", "up");
    }
    this.server = server;
    this.client = client;
  }

  /** Fills a root with libraries, nodens and files, and makes two namespaces with a cable. */
  static async create(files: Record<string, string>): Promise<ImageRun> {
    const root = new ImageRoot();
    try {
      const engine = { "/etc/resolv.conf": "", "/etc/hosts": "127.0.0.1 localhost\n" };
      for (const [path, text] of Object.entries({ ...engine, ...files })) root.write(path, text);
      return new ImageRun(root, await putNodens(root));
    } catch (error) {
      root.remove();
      throw error;
    }
  }

  /** The commit that nodens was made of. */
  get commit(): string {
    return this.#program.commit;
  }

  /** What runs as nodens, in words. */
  get what(): string {
    return this.#program.command === IMAGE.executable
      ? "the compiled nodens"
      : "Deno with the sources (NOT TRIED: the compiled nodens, which cannot be made here)";
  }

  /** Paths of the programs in the root that are no part of this test's nodens. */
  otherPrograms(): string[] {
    return this.root.files().filter((path) => /bin\//.test(path) && path !== this.#program.command);
  }

  /** Runs nodens to its end. */
  run(options: Confinement, ...args: string[]): Promise<{ code: number; text: string }> {
    return exec(this.#arguments(options, args));
  }

  /** Starts nodens and waits until it serves. */
  start(options: Confinement, ...args: string[]): Promise<TestProcess> {
    return startProcess("ip", {
      args: this.#arguments(options, args),
      ready: (output) => STARTED.test(output),
      readyWithinMs: READY_WITHIN_MS,
    });
  }

  /** Runs a program of this machine, which nodens' root does not have, in the network of nodens. */
  outside(...command: string[]): Promise<{ code: number; text: string }> {
    return exec(this.server.exec(...command));
  }

  /** What dig prints of an answer that it gets from another machine. */
  async dig(...question: string[]): Promise<string> {
    const options = ["+time=5", "+tries=2", "+noall", "+answer", "+comments"];
    return (await exec(this.client.exec("dig", ...options, ...question))).text;
  }

  remove(): void {
    this.client.remove();
    this.server.remove();
    this.root.remove();
  }

  #arguments(options: Confinement, args: readonly string[]): string[] {
    const { command, args: first } = this.#program;
    const all = { ...options, namespace: this.server.name };
    return this.root.command(all, command, ...first, ...args);
  }
}

/** As whom nodens runs, and with what. */
export type Confinement = Omit<RunOptions, "namespace">;

/** That a process has these rights and no others, and sees nothing but a root that is read-only. */
export function assertConfined(
  pid: number,
  root: ImageRoot,
  { uid, capabilities }: { uid: number; capabilities: string },
): void {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const line = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
  assert.equal(line("Uid"), Array(4).fill(uid).join("\t"));
  for (const set of ["CapPrm", "CapEff", "CapBnd"]) assert.equal(line(set), capabilities, set);
  assert.equal(line("NoNewPrivs"), "1");
  assert.equal(Deno.readLinkSync(`/proc/${pid}/root`), root.path);
  const mounts = Deno.readTextFileSync(`/proc/${pid}/mountinfo`).split("\n");
  const mounted = mounts.map((one) => one.split(" ")).filter(([, , , , at]) => at === "/");
  assert.match(mounted.at(-1)![5]!, /^ro\b/);
}

/** How nodens is started in a root. */
export interface Program {
  /** The commit that it was made of. */
  commit: string;
  command: string;
  args: string[];
}

/**
 * Puts nodens into a root: the executable, or where it cannot be made, Deno and the sources, to be
 * run with the same rights and without a network.
 */
export async function putNodens(root: Pick<ImageRoot, "copy">): Promise<Program> {
  const work = Deno.makeTempDirSync({ prefix: "nodens_image_" });
  try {
    const graph = await readGraph(ROOT);
    const origin = await readOrigin(ROOT);
    const { commit } = origin;
    const staging = await stage(work, { root: ROOT, graph, origin });
    const output = `${work}/nodens`;
    const target = TARGETS.find(({ machine }) => machine === Deno.build.arch);
    if (target === undefined) throw new Error(`Cannot compile for ${Deno.build.arch}`);
    const { runnable } = await compile(staging, { graph, target, output });
    if (runnable) {
      root.copy(output, IMAGE.executable);
      return { commit, command: IMAGE.executable, args: [] };
    }
    root.copy(Deno.realPathSync(Deno.execPath()), "/usr/bin/deno");
    root.copy(staging.sources, IMAGE.sources);
    root.copy(staging.denoDir, IMAGE.denoDir);
    const args = ["run", "--cached-only", "--frozen", ...PERMISSIONS, `${IMAGE.sources}main.ts`];
    return { commit, command: "/usr/bin/deno", args };
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
}

/** Runs a program to its end. */
async function exec(args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command("ip", { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
