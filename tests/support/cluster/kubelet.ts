import { PERMISSIONS } from "../../../release/permissions.ts";
import { MAIN, STARTED } from "../net_nodens.ts";
import type { TestProcess } from "../net_process.ts";
import type { NodeRig, RigNode } from "../node_rig.ts";
import type { DaemonSetView, HttpProbe } from "./manifest.ts";

/** Everything that the host's /etc has and a program in the container needs. */
const KEPT_OF_ETC = ["hosts", "protocols", "services", "passwd", "ld.so.cache", "alternatives"];
/** Probes are asked more often than a kubelet does, so that a rehearsal is short. */
const PROBE_MS = 100;
const READY_WITHIN_MS = 15_000;

/**
 * The part of a kubelet that a rehearsal needs: it starts the container of a DaemonSet with the
 * arguments, files and probes of its manifest, again where it ends, and updates it as `maxSurge`
 * says: the old one is ended when the new one is ready.
 *
 * There is no image: the sources run with the rights that the executable has, in a mount namespace
 * of their own with the container's `/etc` and `/run`.
 */
export class Kubelet {
  readonly #rig: NodeRig;
  readonly #node: RigNode;
  readonly #view: DaemonSetView;
  readonly #env: Readonly<Record<string, string>>;
  readonly #directories: string[] = [];
  #running: TestProcess | null = null;

  /** @param env - variables of the cluster's Services, as Kubernetes gives them to containers */
  constructor(
    rig: NodeRig,
    node: RigNode,
    { view, env }: { view: DaemonSetView; env: Readonly<Record<string, string>> },
  ) {
    this.#rig = rig;
    this.#node = node;
    this.#view = view;
    this.#env = env;
  }

  /** The container that serves. */
  get container(): TestProcess {
    if (this.#running === null) throw new Error("Cannot find the container: none runs");
    return this.#running;
  }

  /** Starts the container and waits until it is ready. */
  async start(): Promise<void> {
    this.#running = await this.#startContainer();
  }

  /** Starts a new container, and ends the old one once that is ready; gives the old one's exit code. */
  async update(): Promise<number> {
    const old = this.container;
    this.#running = await this.#startContainer();
    return (await old.stop()).code;
  }

  /** Ends the container as a deleted pod is ended. */
  async stop(): Promise<number> {
    const { code } = await this.container.stop();
    this.#running = null;
    return code;
  }

  /** Kills the container (SIGKILL), as a crash or the kernel would. */
  async kill(): Promise<void> {
    Deno.kill(this.container.pid, "SIGKILL");
    await this.container.ended;
    this.#running = null;
  }

  /** Takes away what containers left behind. */
  clean(): void {
    for (const directory of this.#directories) Deno.removeSync(directory, { recursive: true });
  }

  /** Whether a probe succeeds now. */
  async probe({ url }: HttpProbe): Promise<boolean> {
    const { stdout } = await this.#rig.exec(
      this.#node.namespace,
      "curl",
      ["-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", url],
    );
    return /^[23]/.test(stdout);
  }

  async #startContainer(): Promise<TestProcess> {
    const { args, emptyDirs, readiness } = this.#view;
    const etc = this.#makeEtc();
    const outside = emptyDirs.filter((path) => !path.startsWith("/run/"));
    if (outside.length > 0) throw new Error(`Cannot mount ${outside.join(" ")}: only below /run`);
    const script = 'mount -t tmpfs tmpfs /run && mount --bind "$0" /etc && ' +
      `mkdir -p ${emptyDirs.join(" ")} && exec "$@"`;
    const container = await this.#rig.startIn(
      this.#node.namespace,
      "sh",
      ["-c", script, etc, Deno.execPath(), "run", ...PERMISSIONS, MAIN, ...args],
      { ready: (output) => STARTED.test(output), env: this.#env },
    );
    const limitMs = performance.now() + READY_WITHIN_MS;
    while (!await this.probe(readiness)) {
      if (performance.now() > limitMs) throw new Error(`it is not ready: ${container.output}`);
      await new Promise((wake) => setTimeout(wake, PROBE_MS));
    }
    return container;
  }

  /** The container's /etc: the node's resolv.conf (dnsPolicy Default) and what config maps bring. */
  #makeEtc(): string {
    const etc = Deno.makeTempDirSync({ prefix: "nodens_etc_" });
    this.#directories.push(etc);
    for (const name of KEPT_OF_ETC) {
      new Deno.Command("cp", { args: ["-a", `/etc/${name}`, etc], stderr: "null" }).outputSync();
    }
    Deno.copyFileSync(this.#node.resolvConf, `${etc}/resolv.conf`);
    for (const { mountPath, files } of this.#view.files) {
      if (!mountPath.startsWith("/etc/")) throw new Error(`Cannot mount ${mountPath}: not in /etc`);
      const folder = etc + mountPath.slice("/etc".length);
      // As kubelet does it: a version of all files, and links to it that are swapped at once.
      Deno.mkdirSync(`${folder}/..1`, { recursive: true });
      Deno.symlinkSync("..1", `${folder}/..data`);
      for (const [name, text] of Object.entries(files)) {
        Deno.writeTextFileSync(`${folder}/..1/${name}`, text);
        Deno.symlinkSync(`..data/${name}`, `${folder}/${name}`);
      }
    }
    return etc;
  }
}
