import assert from "node:assert/strict";
import { type CommandResult, runCommand } from "../../../release/command.ts";
import { eventually } from "../run/eventually.ts";
import { missing, rootReasons } from "../run/require.ts";
import { uniqueName } from "../run/unique_name.ts";

const TOOLS = ["debootstrap", "systemd-nspawn", "nsenter", "unshare", "mount", "ip"];
/** Creation took 50 s on two cores; a slow mirror may take longer. */
const MAKE_WITHIN_MS = 400_000;
const OFF_WITHIN_MS = 60_000;
/** A stop may take 30 s by the unit. */
const RUN_WITHIN_SECONDS = 60;
/** Control group hierarchies that systemd may use in a container. */
const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Executes systemd-nspawn in a new mount namespace, so that no mount outlives it, and in a control
 * group per machine.
 * $0 is the layers of the root, $1 the mount point, $2 the control group, $3 the host name.
 */
const BOOT = `set -e
for hierarchy in ${CGROUPS.join(" ")}; do
  if [ -w "$hierarchy/cgroup.procs" ]; then
    mkdir "$hierarchy/$2"
    echo $$ >"$hierarchy/$2/cgroup.procs"
  fi
done
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
exec systemd-nspawn --quiet --directory="$1/root" --machine="$3" --register=no --keep-unit \\
  --private-network --resolv-conf=off --timezone=off --link-journal=no --console=pipe --boot`;

/** A program of this machine in a tree's network. */
export interface Guest {
  printed(pattern: RegExp): Promise<void>;
  closeInput(): Promise<void>;
  readonly text: Promise<string>;
}

/** Reasons why no tree can be booted here; for `skipFor`. */
export function bootReasons(): string[] {
  return [...rootReasons(), ...missing(TOOLS)];
}

/** A bare bootable Debian: the tree in NODENS_TREE (from .ci/run), or a new one in `folder`. */
export function baseTree(folder: string): Promise<string> {
  return madeTree(folder, { variable: "NODENS_TREE", script: "tests/units/make_tree" });
}

/** A Debian tree named by an environment variable, or a new one made by a script. */
export async function madeTree(
  folder: string,
  { variable, script }: { variable: string; script: string },
): Promise<string> {
  const made = Deno.env.get(variable);
  if (made !== undefined && exists(`${made}/tree-is-complete`)) return made;
  const tree = `${folder}/tree`;
  const path = new URL(`../../../${script}`, import.meta.url).pathname;
  const signal = AbortSignal.timeout(MAKE_WITHIN_MS);
  const { ok, text } = await runCommand(path, [tree], { signal });
  assert.ok(ok, `Cannot make a tree:\n${text.slice(-4000)}`);
  return tree;
}

/** A machine booted by systemd, with its own processes, files and network. */
export class BootedTree {
  readonly #pid: number;
  readonly #nspawn: Deno.ChildProcess;
  /** Removes leftovers on this machine; returns the processes still in it. */
  readonly #sweep: () => string[];
  readonly #console: Promise<string>;

  private constructor(
    nspawn: Deno.ChildProcess,
    at: { pid: number; sweep: () => string[]; console: Promise<string> },
  ) {
    this.#nspawn = nspawn;
    this.#pid = at.pid;
    this.#sweep = at.sweep;
    this.#console = at.console;
  }

  /** Boots a machine from layers of files, top first; the layers stay unchanged. */
  static async boot(layers: readonly string[]): Promise<BootedTree> {
    const name = uniqueName("nodens-test");
    const folder = Deno.makeTempDirSync({ prefix: "nodens_boot_" });
    const nspawn = new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", BOOT, layers.join(":"), folder, name, name],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const console = Promise.all(
      [nspawn.stdout, nspawn.stderr].map((one) => new Response(one).text()),
    )
      .then((parts) => parts.join(""));
    const swept = () => sweep(name, folder);
    try {
      const pid = await eventually(() => initOf(nspawn.pid));
      const tree = new BootedTree(nspawn, { pid, sweep: swept, console });
      // "degraded": one of Debian's units cannot run in a container.
      const up = "systemctl is-system-running | grep -qxE 'running|degraded'";
      await tree.until(up, "systemctl list-jobs --no-pager");
      return tree;
    } catch (error) {
      kill(nspawn);
      await nspawn.status;
      swept();
      throw new Error(`Cannot boot: ${(error as Error).message}\n${await console}`);
    }
  }

  /** Runs a script in bash, as root in /root. */
  run(script: string): Promise<CommandResult> {
    return runCommand("nsenter", [
      ...["--target", `${this.#pid}`, "--all", "env", "-i", "HOME=/root", "NO_COLOR=1"],
      ...["SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0", `PATH=${PATH}`],
      ...["timeout", `${RUN_WITHIN_SECONDS}`, "bash", "-c", `cd /root\n${script}`],
    ]);
  }

  /** Runs a script that must succeed; returns its output. */
  async must(script: string): Promise<string> {
    const { ok, text } = await this.run(script);
    assert.ok(ok, `${script}\n${text}${ok ? "" : await this.#journal()}`);
    return text;
  }

  /** Runs commands in one shell; each must succeed. */
  type(commands: readonly (string | undefined)[]): Promise<string> {
    return this.must(["set -e", ...commands].join("\n"));
  }

  async show(name: string, unit = "nodens.service"): Promise<string> {
    return (await this.must(`systemctl show --value -p ${name} ${unit}`)).trim();
  }

  /** Repeats a script until it succeeds; after a minute fails with the output of `why`. */
  async until(script: string, why = "systemctl status --no-pager nodens.service"): Promise<void> {
    await eventually(async () => {
      const { ok, text } = await this.run(script);
      assert.ok(ok, `${script}\n${text}`);
    }, async () => (await this.run(why)).text + await this.#journal());
  }

  inNetwork(command: string, ...args: string[]): Guest {
    const child = new Deno.Command("nsenter", {
      args: ["--target", `${this.#pid}`, "--net", command, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    const write = (part: string) => void (text += part);
    const done = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write }));
    return {
      printed: (pattern) => eventually(() => assert.match(text, pattern)),
      closeInput: () => child.stdin.close(),
      text: done.then(() => child.status).then(() => text),
    };
  }

  write(path: string, text: string): void {
    Deno.writeTextFileSync(`/proc/${this.#pid}/root${path}`, text);
  }

  read(path: string): string {
    return Deno.readTextFileSync(`/proc/${this.#pid}/root${path}`);
  }

  /** Powers off; fails if shutdown fails or leaves processes. */
  async off(): Promise<void> {
    await this.run("systemctl poweroff");
    const timer = setTimeout(() => kill(this.#nspawn), OFF_WITHIN_MS);
    const status = await this.#nspawn.status;
    clearTimeout(timer);
    const left = this.#sweep();
    assert.equal(status.code, 0, await this.#console);
    assert.deepEqual(left, [], "processes outlive the machine");
  }

  async #journal(): Promise<string> {
    return `\n${(await this.run("journalctl --no-pager -n 60 -o short-monotonic")).text}`;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Process id of the container's systemd, a child of nspawn. Throws if it does not exist. */
function initOf(nspawn: number): number {
  const children = readText(`/proc/${nspawn}/task/${nspawn}/children`).split(" ");
  const init = children.find((pid) => pid !== "" && readText(`/proc/${pid}/comm`) === "systemd\n");
  assert.ok(init !== undefined, "systemd does not start");
  return Number(init);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function kill(nspawn: Deno.ChildProcess): void {
  try {
    nspawn.kill("SIGKILL");
  } catch {
    // The process has ended.
  }
}

/** Removes control groups and the folder; returns processes in the groups. */
function sweep(group: string, folder: string): string[] {
  const left: string[] = [];
  const remove = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      if (isDirectory) remove(`${path}/${name}`);
    }
    left.push(...readText(`${path}/cgroup.procs`).split("\n").filter((pid) => pid !== ""));
    // `Deno.removeSync` would inspect the files in it. A group with processes stays.
    new Deno.Command("rmdir", { args: [path], stderr: "null" }).outputSync();
  };
  for (const path of CGROUPS.map((one) => `${one}/${group}`).filter(exists)) remove(path);
  Deno.removeSync(folder, { recursive: true });
  return left.map((pid) => `${pid} ${readText(`/proc/${pid}/comm`).trim()}`);
}
