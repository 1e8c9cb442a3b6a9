import assert from "node:assert/strict";
import { missing, rootReasons } from "../run/require.ts";
import { uniqueName } from "../run/unique_name.ts";

const TOOLS = ["debootstrap", "systemd-nspawn", "nsenter", "unshare", "mount", "ip"];
/** A tree took 50 s on two cores; a slow mirror may take longer, a dead one is given up. */
const MAKE_WITHIN_MS = 400_000;
/** A boot takes a second or two. */
const BOOT_WITHIN_MS = 60_000;
/** More than the slowest single command needs (a stop waits 30 s at most by the unit). */
const RUN_WITHIN_SECONDS = 60;
const POLL_MS = 50;
/** Where the hierarchies of control groups are that a container's systemd uses; those that exist. */
const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];

/**
 * Becomes systemd-nspawn: in a mount namespace of its own, so that no mount outlives it, and in a
 * control group of its own, so that two machines do not share one. Changes are kept in memory.
 *
 * $0 is the layers of the root, $1 the folder to mount at, $2 the control group, $3 the host's name.
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

/** What a command in the tree came to. */
export interface Outcome {
  code: number;
  /** Both streams. */
  text: string;
}

/** A program of this machine that runs in a tree's network. */
export interface Guest {
  /** Waits until it has printed something. */
  printed(pattern: RegExp): Promise<void>;
  closeInput(): Promise<void>;
  /** All that it prints, once it has ended. */
  readonly text: Promise<string>;
}

/** Why no tree can be made and booted here; for `skipFor`. */
export function bootReasons(): string[] {
  return [...rootReasons(), ...missing(TOOLS)];
}

/** A bare Debian that boots: the one in NODENS_TREE, if .ci/run has made it, or one made in `folder`. */
export function baseTree(folder: string): Promise<string> {
  return madeTree(folder, { variable: "NODENS_TREE", script: "tests/units/make_tree" });
}

/** A Debian: the one that an environment variable names, if it is there, or one that a script makes. */
export async function madeTree(
  folder: string,
  { variable, script }: { variable: string; script: string },
): Promise<string> {
  const made = Deno.env.get(variable);
  if (made !== undefined && exists(`${made}/tree-is-complete`)) return made;
  const tree = `${folder}/tree`;
  const path = new URL(`../../../${script}`, import.meta.url).pathname;
  const { code, text } = await output(path, [tree], MAKE_WITHIN_MS);
  assert.equal(code, 0, `Cannot make a tree:\n${text.slice(-4000)}`);
  return tree;
}

/** A machine of its own that systemd has booted: its own processes, files and network. */
export class BootedTree {
  /** The process that is number 1 inside. */
  readonly #pid: number;
  readonly #nspawn: Deno.ChildProcess;
  readonly #group: string;
  readonly #folder: string;
  readonly #console: Promise<string>;

  private constructor(
    nspawn: Deno.ChildProcess,
    at: { pid: number; group: string; folder: string; console: Promise<string> },
  ) {
    this.#nspawn = nspawn;
    this.#pid = at.pid;
    this.#group = at.group;
    this.#folder = at.folder;
    this.#console = at.console;
  }

  /** Boots a machine whose root is made of layers, the top one first; none of them is changed. */
  static async boot(layers: readonly string[]): Promise<BootedTree> {
    const name = uniqueName("nodens-test");
    const folder = Deno.makeTempDirSync({ prefix: "nodens_boot_" });
    const nspawn = new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", BOOT, layers.join(":"), folder, name, name],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const printed = Promise.all([
      new Response(nspawn.stdout).text(),
      new Response(nspawn.stderr).text(),
    ]).then((parts) => parts.join(""));
    let tree: BootedTree | undefined;
    try {
      const pid = await waitFor(() => initOf(nspawn.pid), BOOT_WITHIN_MS);
      tree = new BootedTree(nspawn, { pid, group: name, folder, console: printed });
      // "degraded": a unit of Debian's cannot run in a container, which does not concern nodens.
      const up = "systemctl is-system-running | grep -qxE 'running|degraded'";
      await tree.until(up, "systemctl list-jobs --no-pager");
      return tree;
    } catch (error) {
      kill(nspawn);
      await nspawn.status;
      (tree ?? { sweep: () => sweep(name, folder) }).sweep();
      throw new Error(`Cannot boot: ${(error as Error).message}\n${await printed}`);
    }
  }

  /** Runs a script by bash, as root in /root. */
  run(script: string): Promise<Outcome> {
    return output("nsenter", [
      ...["--target", `${this.#pid}`, "--all", "env", "-i", "HOME=/root", "NO_COLOR=1"],
      ...["SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0", `PATH=${PATH}`],
      ...["timeout", `${RUN_WITHIN_SECONDS}`, "bash", "-c", `cd /root\n${script}`],
    ]);
  }

  /** Runs a script that has to succeed; returns what it prints. */
  async must(script: string): Promise<string> {
    const { code, text } = await this.run(script);
    assert.equal(code, 0, `${script}\n${text}${code === 0 ? "" : await this.#journal()}`);
    return text;
  }

  /** Runs a script again and again until it succeeds; after a minute fails with what `why` prints. */
  async until(script: string, why = "systemctl status --no-pager nodens.service"): Promise<void> {
    const limitMs = performance.now() + BOOT_WITHIN_MS;
    let last = await this.run(script);
    while (last.code !== 0) {
      if (performance.now() > limitMs) {
        assert.fail(`${script}\n${last.text}${(await this.run(why)).text}${await this.#journal()}`);
      }
      await sleep(POLL_MS);
      last = await this.run(script);
    }
  }

  /** Starts a program of this machine in the network of the tree. */
  inNetwork(command: string, ...args: string[]): Guest {
    const child = new Deno.Command("nsenter", {
      args: ["--target", `${this.#pid}`, "--net", command, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    const done = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({
        write(part) {
          text += part;
        },
      }),
    );
    return {
      async printed(pattern) {
        await waitFor(() => pattern.test(text) ? text : null, BOOT_WITHIN_MS);
      },
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

  /** Switches it off; fails where it does not go down by itself, or leaves something. */
  async off(): Promise<void> {
    await this.run("systemctl poweroff");
    const timer = setTimeout(() => kill(this.#nspawn), BOOT_WITHIN_MS);
    const status = await this.#nspawn.status;
    clearTimeout(timer);
    const left = this.sweep();
    assert.equal(status.code, 0, await this.#console);
    assert.deepEqual(left, [], "processes outlive the machine");
  }

  /** Removes what a machine that has ended leaves on this one; returns the processes still in it. */
  sweep(): string[] {
    return sweep(this.#group, this.#folder);
  }

  async #journal(): Promise<string> {
    return `\n${(await this.run("journalctl --no-pager -n 60 -o short-monotonic")).text}`;
  }
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const sleep = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The systemd that is number 1 of a container, a child of nspawn; null while there is none. */
function initOf(nspawn: number): number | null {
  const children = readText(`/proc/${nspawn}/task/${nspawn}/children`).split(" ");
  for (const pid of children.filter((one) => one !== "")) {
    if (readText(`/proc/${pid}/comm`) === "systemd\n") return Number(pid);
  }
  return null;
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

async function waitFor<T>(find: () => T | null, withinMs: number): Promise<T> {
  const limitMs = performance.now() + withinMs;
  for (let found = find();; found = find()) {
    if (found !== null) return found;
    if (performance.now() > limitMs) throw new Error("not within its time");
    await sleep(POLL_MS);
  }
}

/** Ends nspawn, which takes everything inside with it. */
function kill(nspawn: Deno.ChildProcess): void {
  try {
    nspawn.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Removes control groups, which have to be empty, and the folder; returns processes in the groups. */
function sweep(group: string, folder: string): string[] {
  const left: string[] = [];
  const remove = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      if (isDirectory) remove(`${path}/${name}`);
    }
    left.push(...readText(`${path}/cgroup.procs`).split("\n").filter((pid) => pid !== ""));
    // Not `remove`, which would look at the files in it. A group with processes stays.
    new Deno.Command("rmdir", { args: [path], stderr: "null" }).outputSync();
  };
  for (const path of CGROUPS.map((one) => `${one}/${group}`).filter(exists)) remove(path);
  Deno.removeSync(folder, { recursive: true });
  return left.map((pid) => `${pid} ${readText(`/proc/${pid}/comm`).trim()}`);
}

async function output(command: string, args: string[], withinMs?: number): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
    ...(withinMs === undefined ? {} : { signal: AbortSignal.timeout(withinMs) }),
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}
