import { PERMISSIONS } from "../../../../release/permissions.ts";
import { MAIN } from "../../processes/nodens.ts";
import type { TestProcess } from "../../processes/process.ts";
import type { NodeRig, RigNode } from "../node_rig.ts";
import type { DaemonSetView, HttpProbe } from "./manifest.ts";

/** Files of the host's /etc that a program in the container needs. */
const KEPT_OF_ETC = ["hosts", "protocols", "services", "passwd", "ld.so.cache", "alternatives"];
/** Divisor of the manifest's times. */
const SHORTER = 5;
const LOOK_MS = 100;
const READY_WITHIN_MS = 15_000;
/** Restart delay of a container that ended. */
const RESTART_MS = 3000;
/** Kubernetes's default. */
const LIVENESS_FAILURES = 3;

/**
 * A kubelet for rehearsals: runs a DaemonSet's container by its manifest, and restarts it after a
 * crash or failed liveness probes.
 */
export class Kubelet {
  unhealthy = 0;
  readonly #rig: NodeRig;
  readonly #node: RigNode;
  readonly #view: DaemonSetView;
  readonly #env: Readonly<Record<string, string>>;
  readonly #directories: string[] = [];
  #running: TestProcess | null = null;
  #stopped = false;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #look: ReturnType<typeof setTimeout> | undefined;
  #watching: Promise<void> = Promise.resolve();

  /** @param env - variables of the cluster's Services */
  constructor(
    rig: NodeRig,
    node: RigNode,
    { view, env }: { view: DaemonSetView; env: Readonly<Record<string, string>> },
  ) {
    this.#rig = rig;
    this.#node = node;
    this.#view = view;
    const own = view.podIpVariables.map((name) => [name, node.addresses.v4]);
    this.#env = { ...env, ...Object.fromEntries(own) };
  }

  get container(): TestProcess {
    if (this.#running === null) throw new Error("Cannot find the container: none runs");
    return this.#running;
  }

  async start(): Promise<void> {
    await this.#run();
    await this.#ready(0);
    this.#watch(0);
  }

  /** Starts a new container and ends the old one (`maxSurge`); returns the old one's exit code. */
  async update(): Promise<number> {
    const old = this.container;
    await this.#run();
    await this.#ready(this.#view.minReadyMs / SHORTER);
    return (await old.stop()).code;
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#look);
    await this.#watching;
    return (await this.container.stop()).code;
  }

  async kill(): Promise<void> {
    const { container } = this;
    Deno.kill(container.pid, "SIGKILL");
    await container.ended;
  }

  clean(): void {
    for (const directory of this.#directories) Deno.removeSync(directory, { recursive: true });
  }

  async probe({ url }: HttpProbe): Promise<boolean> {
    const { stdout } = await this.#rig.exec(
      this.#node.namespace,
      "curl",
      ["-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}", url],
    );
    return /^[23]/.test(stdout);
  }

  async #run(): Promise<void> {
    const { args, emptyDirs } = this.#view;
    const etc = this.#makeEtc();
    const outside = emptyDirs.filter((path) => !path.startsWith("/run/"));
    if (outside.length > 0) throw new Error(`Cannot mount ${outside.join(" ")}: only below /run`);
    const script = 'mount -t tmpfs tmpfs /run && mount --bind "$0" /etc && ' +
      `mkdir -p ${emptyDirs.join(" ")} && exec "$@"`;
    const container = await this.#rig.startIn(
      this.#node.namespace,
      "sh",
      ["-c", script, etc, Deno.execPath(), "run", ...PERMISSIONS, MAIN, ...args],
      { ready: () => true, env: this.#env },
    );
    this.#running = container;
    void container.ended.then(() => {
      // Ignores replaced containers.
      if (this.#stopped || this.#running !== container) return;
      this.#restart = setTimeout(() => void this.#run().catch(() => {}), RESTART_MS);
    });
  }

  async #ready(forMs: number): Promise<void> {
    const limitMs = performance.now() + READY_WITHIN_MS;
    for (let sinceMs = Infinity;;) {
      const nowMs = performance.now();
      if (!await this.probe(this.#view.readiness)) sinceMs = Infinity;
      else if (sinceMs === Infinity) sinceMs = nowMs;
      if (nowMs - sinceMs >= forMs) return;
      if (nowMs > limitMs) throw new Error(`it is not ready: ${this.container.output}`);
      await new Promise((wake) => setTimeout(wake, LOOK_MS));
    }
  }

  #watch(failures: number): void {
    if (this.#stopped) return;
    const { liveness } = this.#view;
    this.#look = setTimeout(() => {
      this.#watching = this.probe(liveness).then((alive) => {
        const failed = alive ? 0 : failures + 1;
        if (failed < LIVENESS_FAILURES) return this.#watch(failed);
        this.unhealthy++;
        Deno.kill(this.container.pid, "SIGKILL");
        this.#watch(0);
      }).catch(() => {});
    }, liveness.periodMs / SHORTER);
  }

  /** The container's /etc: the node's resolv.conf (dnsPolicy Default) and mounted config maps. */
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
      // As kubelet does: one version of all files, and links that are swapped at once.
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
