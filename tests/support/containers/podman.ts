import assert from "node:assert/strict";
import type { CommandResult } from "../../../release/command.ts";
import { missing } from "../run/require.ts";
import type { Namespace } from "../namespaces/namespace.ts";

/** Programs that podman and this file need. */
const PROGRAMS = [
  ...["podman", "runc", "conmon", "/usr/lib/podman/netavark", "catatonit"],
  ...["unshare", "nsenter", "mount", "tar", "env"],
];
/** Longer than the slowest build on a busy machine. */
const RUN_WITHIN_MS = 300_000;

const CGROUPS = "/sys/fs/cgroup";
/** Limit of memory for images and containers; the tests use 0.9 GB. */
const DISK = "2g";
/** Folders that podman and its libraries use despite their settings. */
const SHARED = ["/var/lib/containers", "/run/containers"];

/**
 * A mount namespace for podman with a disk in memory ($0): all mounts and files of containers end
 * with it, and other podman instances are unaffected. It ends at end of input. Mounts of `ip netns
 * add` outside are visible inside.
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
 * runc, since crun refuses a mixture of control group versions; no systemd; limits that need no
 * privilege; and locks in files, since podman's default locks are machine-wide.
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

export interface PodmanOptions {
  /** Network of the command, and "host" network of its containers. */
  readonly namespace?: Namespace;
  readonly input?: ReadableStream<Uint8Array>;
}

/** Reasons why containers cannot run here; for `skipFor`. */
export function podmanReasons(...programs: string[]): string[] {
  const reasons = missing([...PROGRAMS, ...programs]);
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) reasons.push("containers need root on Linux");
  return reasons;
}

/** Removes the empty control groups that podman leaves. */
function removeEmptyGroups(): void {
  const hierarchies = [...Deno.readDirSync(CGROUPS)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `${CGROUPS}/${name}`);
  const groups = [CGROUPS, ...hierarchies].map((path) => `${path}/libpod_parent`);
  const args = [...groups, "-depth", "-type", "d", "-delete"];
  new Deno.Command("find", { args, stderr: "null" }).outputSync();
}

/** A podman with its own images, containers and settings in one folder. */
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
      // Health checks need systemd timers, which may not run here.
      DISABLE_HC_SYSTEMD: "true",
      TMPDIR: `${folder}/disk/tmp`,
    };
  }

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

  run(args: readonly string[], options: PodmanOptions = {}): Promise<CommandResult> {
    return this.#inside(["podman", ...args], options);
  }

  /** Runs podman, which must succeed; returns its standard output. */
  async must(args: readonly string[], options: PodmanOptions = {}): Promise<string> {
    const { code, stdout, text } = await this.run(args, options);
    assert.equal(code, 0, `podman ${args.join(" ")}\n${text}`);
    return stdout;
  }

  type(line: string, folder: string, options: PodmanOptions = {}): Promise<CommandResult> {
    return this.#inside(["env", `--chdir=${folder}`, "sh", "-ec", line], options);
  }

  async import(
    folder: string,
    name: string,
    { changes = [], exclude = [] }: {
      changes?: readonly string[];
      exclude?: readonly string[];
    } = {},
  ): Promise<void> {
    const left = exclude.map((path) => `--exclude=.${path}/*`);
    const tar = new Deno.Command("tar", {
      args: ["--create", ...left, "-C", folder, "."],
      stdout: "piped",
    }).spawn();
    const flags = changes.flatMap((change) => ["--change", change]);
    await this.must(["import", "--quiet", ...flags, "-", name], { input: tar.stdout });
    assert.equal((await tar.status).code, 0);
  }

  async add(
    folder: string,
    name: string,
    options: { base: string; changes: readonly string[] },
  ): Promise<void> {
    const text = [`FROM ${options.base}`, "COPY . /", ...options.changes].join("\n");
    const input = new Blob([text]).stream();
    await this.must(["build", "--quiet", "--tag", name, "--file", "-", folder], { input });
  }

  async setResolvConf(text: string): Promise<void> {
    const file = `${this.folder}/resolv.conf`;
    Deno.writeTextFileSync(file, text);
    const { code, text: said } = await this.#inside(["mount", "--bind", file, "/etc/resolv.conf"]);
    assert.equal(code, 0, said);
  }

  async readImage(name: string, path: string): Promise<Uint8Array> {
    const at = (await this.must(["image", "mount", name])).trim();
    try {
      return await Deno.readFile(`/proc/${this.#holder.pid}/root${at}${path}`);
    } finally {
      await this.must(["image", "unmount", name]);
    }
  }

  async remove(): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.status;
    Deno.removeSync(this.folder, { recursive: true });
    removeEmptyGroups();
  }

  async #inside(command: readonly string[], options: PodmanOptions = {}): Promise<CommandResult> {
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
    // A failing command may not read all of its input; its output has the reason.
    if (input !== undefined) await input.pipeTo(child.stdin).catch(() => {});
    const output = await child.output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    ) as [string, string];
    return { ok: output.success, code: output.code, stdout, stderr, text: stdout + stderr };
  }
}
