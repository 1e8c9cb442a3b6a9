import { missing, rootReasons } from "./net_require.ts";

/** Where in the root what lies, and the environment; as in the images. */
export const IMAGE = {
  executable: "/nodens",
  denoDir: "/deno-dir",
  sources: "/app/",
  /** The search path that engines set, and the images' bases. */
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
} as const;

/** Packages that hold what a distroless base with glibc and libgcc has. */
const BASE_PACKAGES = ["libc6", "libgcc-s1"];
/** Numbers of capabilities (linux/capability.h). */
const CAPABILITIES = { net_bind_service: 10, net_admin: 12, net_raw: 13 } as const;

/** Folders at the top (which are links to those below /usr), and files without which all runs. */
const LEFT_OUT = /^\/\w+$|^\/(?:etc|usr\/share|var)(?:\/|$)|\/gconv\//;
/** Runs in a mount namespace that `ip netns exec` has made; the shell becomes capsh, and that nodens. */
const PREPARE = `set -e
mount --bind "$0" "$0"
mount -t proc -o nosuid,nodev,noexec proc "$0/proc"
mount -t tmpfs -o nosuid,nodev,noexec,size=1m tmpfs "$0/run"
mkdir "$0/run/nodens"
mount --bind /dev/null "$0/dev/null"
mount -o remount,bind,ro "$0"
exec env -i DENO_DIR=${IMAGE.denoDir} NO_COLOR=1 PATH=${IMAGE.path} capsh "$@"`;

/** A capability that a container may be given. */
export type Capability = keyof typeof CAPABILITIES;

/** How a program runs in a root. */
export interface RunOptions {
  readonly namespace: string;
  readonly uid: number;
  /** What it has; everything else is taken from it and from what it starts. */
  readonly capabilities: readonly Capability[];
}

/** Why no root can be made and run here; for `skipFor`. */
export function imageRootReasons(...programs: string[]): string[] {
  const needed = ["capsh", "dpkg-query", "ip", "mount", ...programs];
  return [...rootReasons(), ...missing(needed)];
}

/**
 * A folder that stands for a container's root file system: libraries out of Debian's packages, and
 * what a test puts there. There is no shell in it.
 */
export class ImageRoot {
  readonly path: string = Deno.makeTempDirSync({ prefix: "nodens_root_" });

  constructor() {
    try {
      this.#fill();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #fill(): void {
    // A new folder is for its owner alone, and an image's root is not.
    Deno.chmodSync(this.path, 0o755);
    for (const folder of ["dev", "etc", "proc", "run", "tmp"]) {
      Deno.mkdirSync(`${this.path}/${folder}`);
    }
    for (const folder of ["bin", "lib", "lib64", "sbin"]) {
      Deno.mkdirSync(`${this.path}/usr/${folder}`, { recursive: true });
      Deno.symlinkSync(`usr/${folder}`, `${this.path}/${folder}`);
    }
    Deno.writeTextFileSync(`${this.path}/dev/null`, "");
    this.#addPackages(BASE_PACKAGES);
  }

  /** Adds a file with its folders. */
  write(path: string, text: string): void {
    this.#folderOf(path);
    Deno.writeTextFileSync(this.path + path, text);
  }

  /** Adds a copy of a file or of a folder. */
  copy(from: string, to: string): void {
    if (Deno.statSync(from).isDirectory) {
      for (const { name } of Deno.readDirSync(from)) {
        // The runtime's downloads are linked from there, and are no part of an image.
        if (Deno.lstatSync(`${from}/${name}`).isSymlink) continue;
        this.copy(`${from}/${name}`, `${to.replace(/\/$/, "")}/${name}`);
      }
      return;
    }
    this.#folderOf(to);
    Deno.copyFileSync(from, this.path + to);
  }

  /** Adds iptables of a backend with its modules and the libraries that it needs. */
  addIptables(backend: "nft" | "legacy"): void {
    this.#addPackages(libraryPackages("iptables"));
    this.#addPackages(["iptables"]);
    for (const name of ["iptables", "ip6tables"]) {
      for (const suffix of ["", "-save", "-restore"]) {
        Deno.symlinkSync(`xtables-${backend}-multi`, `${this.path}/usr/sbin/${name}${suffix}`);
      }
    }
  }

  /** All files, as paths in the root; sorted. */
  files(): string[] {
    const found: string[] = [];
    const walk = (folder: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(this.path + folder)) {
        if (isDirectory) walk(`${folder}/${name}`);
        else found.push(`${folder}/${name}`);
      }
    };
    walk("");
    return found.sort();
  }

  /**
   * Arguments of `ip` that run a program of this root in a network namespace: the root mounted
   * read-only, /proc and a small /run beside it, all other capabilities dropped for good, and the
   * environment of a container.
   *
   * The process keeps its pid from `ip` on. Mounts are its own, and end with it.
   */
  command(options: RunOptions, program: string, ...args: string[]): string[] {
    const { namespace, uid, capabilities } = options;
    const kept = capabilities.map((name) => CAPABILITIES[name]);
    const last = Number(Deno.readTextFileSync("/proc/sys/kernel/cap_last_cap"));
    const dropped = Array.from({ length: last + 1 }, (_, i) => i)
      .filter((number) => !kept.some((one) => one === number));
    const names = capabilities.map((name) => `cap_${name}`).join(",");
    // A user other than root loses all capabilities unless they are ambient.
    const ambient = uid === 0 || names === "" ? [] : [`--addamb=${names}`];
    const user = uid === 0 ? [] : ["--keep=1", `--gid=${uid}`, "--groups=", `--uid=${uid}`];
    const capsh = [
      ...[`--drop=${dropped.join(",")}`, `--chroot=${this.path}`],
      ...[...(names === "" ? [] : [`--inh=${names}`]), ...user, ...ambient],
      ...["--no-new-privs", `--shell=${program}`, "--", ...args],
    ];
    return ["netns", "exec", namespace, "sh", "-c", PREPARE, this.path, ...capsh];
  }

  remove(): void {
    Deno.removeSync(this.path, { recursive: true });
  }

  /** Copies the files of packages, without documents and what only a package manager reads. */
  #addPackages(names: readonly string[]): void {
    for (const path of run("dpkg-query", "--listfiles", ...names).split("\n")) {
      if (!path.startsWith("/") || LEFT_OUT.test(path)) continue;
      const { isFile, isSymlink } = Deno.lstatSync(path);
      if (isSymlink) {
        this.#folderOf(path);
        Deno.symlinkSync(Deno.readLinkSync(path), this.path + path);
      } else if (isFile) this.copy(path, path);
    }
  }

  #folderOf(path: string): void {
    Deno.mkdirSync(this.path + path.slice(0, path.lastIndexOf("/")), { recursive: true });
  }
}

/** Names of the library packages that a package needs, and that these need. */
function libraryPackages(name: string, found: Set<string> = new Set()): string[] {
  const text = run("dpkg-query", "--show", "--showformat=${Depends}", name);
  for (const part of text.split(/[,|]/)) {
    const one = part.trim().split(/[ :]/)[0]!;
    if (!one.startsWith("lib") || BASE_PACKAGES.includes(one) || found.has(one)) continue;
    found.add(one);
    libraryPackages(one, found);
  }
  return [...found];
}

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${decoder.decode(stderr).trim()}`);
}
