import assert from "node:assert/strict";
import { missing } from "../run/require.ts";
import type { Namespace } from "../namespaces/namespace.ts";

/** What podman runs containers, networks and pods with, and what this file uses. */
const PROGRAMS = [
  ...["podman", "runc", "conmon", "/usr/lib/podman/netavark", "catatonit"],
  ...["unshare", "nsenter", "mount", "tar", "env"],
];
/** Longer than the slowest command needs: a build on a machine that does other things besides. */
const RUN_WITHIN_MS = 300_000;

/** Where control groups are. */
const CGROUPS = "/sys/fs/cgroup";
/** Memory that images and containers may take; those of the tests take 0.9 GB. */
const DISK = "2g";
/** Folders that podman and its libraries use whatever their settings say. */
const SHARED = ["/var/lib/containers", "/run/containers"];

/**
 * A mount namespace for podman, with a disk in memory: all mounts and all files of containers end with
 * it, and nothing of another podman of this machine is seen or changed. It ends with its input.
 *
 * $0 is the folder of the disk. What `ip netns add` mounts outside is seen inside.
 */
const HOLD = `set -e
mount -t tmpfs -o mode=755,size=${DISK} tmpfs "$0"
mkdir "$0/tmp" "$0/networks"
for shared in ${SHARED.join(" ")}; do
  mkdir -p "$shared" "$0/shared$shared"
  mount --bind "$0/shared$shared" "$shared"
done
echo held
exec cat >/dev/null`;

/**
 * runc, since crun wants one kind of control groups and takes no mixture. Control groups without
 * systemd, limits that need no right to raise them, and locks in files of our own: podman's usual
 * ones are in memory that all podmans of a machine share.
 */
const containersConf = (disk: string) =>
  `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${disk}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "${disk}/networks"
`;
const storageConf = (disk: string) =>
  `[storage]
driver = "overlay"
graphroot = "${disk}/storage"
runroot = "${disk}/run"
`;

/** What a command came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  /** Both streams, standard output first. */
  readonly text: string;
}

/** What a command gets besides its arguments. */
export interface PodmanOptions {
  /** The network that it runs in, which is the host's for its containers. */
  readonly namespace?: Namespace;
  readonly input?: ReadableStream<Uint8Array>;
}

/** Why no container can run here; for `skipFor`. */
export function podmanReasons(...programs: string[]): string[] {
  const reasons = missing([...PROGRAMS, ...programs]);
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) reasons.push("containers need root on Linux");
  return reasons;
}

/** Removes the control groups that podman leaves, which are empty; one with processes stays. */
function removeEmptyGroups(): void {
  const hierarchies = [...Deno.readDirSync(CGROUPS)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `${CGROUPS}/${name}`);
  const groups = [CGROUPS, ...hierarchies].map((path) => `${path}/libpod_parent`);
  const args = [...groups, "-depth", "-type", "d", "-delete"];
  new Deno.Command("find", { args, stderr: "null" }).outputSync();
}

/** A podman with images, containers and settings of its own, all in one folder that goes with it. */
export class Podman {
  readonly folder: string;
  readonly #holder: Deno.ChildProcess;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(folder: string, holder: Deno.ChildProcess) {
    this.folder = folder;
    this.#holder = holder;
    this.#env = {
      CONTAINERS_CONF: `${folder}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${folder}/storage.conf`,
      // Its timers are systemd's, which may not run here: the test asks instead.
      DISABLE_HC_SYSTEMD: "true",
      TMPDIR: `${folder}/disk/tmp`,
    };
  }

  /** Makes the folder, and the mount namespace in which all commands run. */
  static async create(): Promise<Podman> {
    const folder = Deno.makeTempDirSync({ prefix: "nodens_podman_" });
    const disk = `${folder}/disk`;
    Deno.mkdirSync(disk);
    Deno.writeTextFileSync(`${folder}/containers.conf`, containersConf(disk));
    Deno.writeTextFileSync(`${folder}/storage.conf`, storageConf(disk));
    const holder = new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "slave", "sh", "-c", HOLD, disk],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const podman = new Podman(folder, holder);
    const { value } = await holder.stdout.getReader().read();
    if (value !== undefined) return podman;
    await podman.remove();
    throw new Error("Cannot make a mount namespace for podman");
  }

  /** Runs podman to its end. */
  run(args: readonly string[], options: PodmanOptions = {}): Promise<Outcome> {
    return this.#inside(["podman", ...args], options);
  }

  /** Runs podman, which has to succeed; returns its standard output. */
  async must(args: readonly string[], options: PodmanOptions = {}): Promise<string> {
    const { code, stdout, text } = await this.run(args, options);
    assert.equal(code, 0, `podman ${args.join(" ")}\n${text}`);
    return stdout;
  }

  /** Runs a line that a reader types, in a folder. */
  type(line: string, folder: string, options: PodmanOptions = {}): Promise<Outcome> {
    return this.#inside(["env", `--chdir=${folder}`, "sh", "-ec", line], options);
  }

  /** Makes an image of what a folder holds. */
  async import(
    folder: string,
    name: string,
    options: { changes?: readonly string[]; exclude?: readonly string[] } = {},
  ): Promise<void> {
    const { changes = [], exclude = [] } = options;
    const left = exclude.map((path) => `--exclude=.${path}/*`);
    const tar = new Deno.Command("tar", {
      args: ["--create", ...left, "-C", folder, "."],
      stdout: "piped",
    }).spawn();
    const flags = changes.flatMap((change) => ["--change", change]);
    await this.must(["import", "--quiet", ...flags, "-", name], { input: tar.stdout });
    assert.equal((await tar.status).code, 0);
  }

  /** Makes an image of another one and what a folder holds. */
  async add(
    folder: string,
    name: string,
    options: { base: string; changes: readonly string[] },
  ): Promise<void> {
    const text = [`FROM ${options.base}`, "COPY . /", ...options.changes].join("\n");
    const input = new Blob([text]).stream();
    await this.must(["build", "--quiet", "--tag", name, "--file", "-", folder], { input });
  }

  /** Gives containers that start from now on these servers, as the node's /etc/resolv.conf does. */
  async setResolvConf(text: string): Promise<void> {
    const file = `${this.folder}/resolv.conf`;
    Deno.writeTextFileSync(file, text);
    const { code, text: said } = await this.#inside(["mount", "--bind", file, "/etc/resolv.conf"]);
    assert.equal(code, 0, said);
  }

  /** Reads a file of an image. */
  async readImage(name: string, path: string): Promise<Uint8Array> {
    const at = (await this.must(["image", "mount", name])).trim();
    try {
      return await Deno.readFile(`/proc/${this.#holder.pid}/root${at}${path}`);
    } finally {
      await this.must(["image", "unmount", name]);
    }
  }

  /** Removes all that it has on disk; containers must have gone. */

  async remove(): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.status;
    Deno.removeSync(this.folder, { recursive: true });
    removeEmptyGroups();
  }

  async #inside(command: readonly string[], options: PodmanOptions = {}): Promise<Outcome> {
    const { namespace, input } = options;
    const net = namespace === undefined ? [] : [`--net=/run/netns/${namespace.name}`];
    const child = new Deno.Command("nsenter", {
      args: ["--target", `${this.#holder.pid}`, "--mount", ...net, ...command],
      env: this.#env,
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(RUN_WITHIN_MS),
    }).spawn();
    // A command that fails may not read all of its input; its own words say why.
    if (input !== undefined) await input.pipeTo(child.stdin).catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    const out = decoder.decode(stdout);
    return { code, stdout: out, text: out + decoder.decode(stderr) };
  }
}
