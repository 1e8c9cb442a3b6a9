/** Where in the root what lies, and the environment; as in the images. */
export const IMAGE = {
  executable: "/usr/local/bin/nodens",
  denoDir: "/deno-dir",
  sources: "/app/",
  /** The search path that engines set, and the images' bases. */
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
} as const;

/** Packages that hold what a distroless base with glibc and libgcc has. */
const BASE_PACKAGES = ["libc6", "libgcc-s1"] as const;
/** Folders at the top (which are links to those below /usr), and files without which all runs. */
const LEFT_OUT = /^\/\w+$|^\/(?:etc|usr\/share|var)(?:\/|$)|\/gconv\//;

/**
 * A folder that stands for the root of a distroless base: libraries out of a Debian's packages, and
 * what a test puts there. There is no shell in it.
 */
export class ImageRoot {
  readonly path: string = Deno.makeTempDirSync({ prefix: "nodens_root_" });
  readonly #debian: string;

  /** @param debian - the root of the Debian that packages are copied from */
  constructor(debian: string, packages: readonly (typeof BASE_PACKAGES)[number][] = BASE_PACKAGES) {
    this.#debian = debian;
    try {
      // A new folder is for its owner alone, and an image's root is not.
      Deno.chmodSync(this.path, 0o755);
      for (const folder of ["dev", "etc", "proc", "run", "tmp"]) {
        Deno.mkdirSync(`${this.path}/${folder}`);
      }
      for (const folder of ["bin", "lib", "lib64", "sbin"]) {
        Deno.mkdirSync(`${this.path}/usr/${folder}`, { recursive: true });
        Deno.symlinkSync(`usr/${folder}`, `${this.path}/${folder}`);
      }
      this.#addPackages(packages);
    } catch (error) {
      this.remove();
      throw error;
    }
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

  /** Adds iptables with its modules and the libraries that it needs; the commands are of nft. */
  addIptables(): void {
    this.#addPackages(this.#libraryPackages("iptables"));
    this.#addPackages(["iptables"]);
    for (const name of ["iptables", "ip6tables"]) {
      for (const suffix of ["", "-save", "-restore"]) {
        Deno.symlinkSync("xtables-nft-multi", `${this.path}/usr/sbin/${name}${suffix}`);
      }
    }
  }

  remove(): void {
    Deno.removeSync(this.path, { recursive: true });
  }

  /** Copies the files of packages, without documents and what only a package manager reads. */
  #addPackages(names: readonly string[]): void {
    for (const path of this.#query("--listfiles", ...names).split("\n")) {
      if (!path.startsWith("/") || LEFT_OUT.test(path)) continue;
      const from = this.#debian + path;
      const { isFile, isSymlink } = Deno.lstatSync(from);
      if (isSymlink) {
        this.#folderOf(path);
        Deno.symlinkSync(Deno.readLinkSync(from), this.path + path);
      } else if (isFile) this.copy(from, path);
    }
  }

  /** Names of the library packages that a package needs, and that these need. */
  #libraryPackages(name: string, found: Set<string> = new Set()): string[] {
    const text = this.#query("--show", "--showformat=${Depends}", name);
    for (const part of text.split(/[,|]/)) {
      const one = part.trim().split(/[ :]/)[0]!;
      if (!one.startsWith("lib") || BASE_PACKAGES.some((base) => base === one) || found.has(one)) {
        continue;
      }
      found.add(one);
      this.#libraryPackages(one, found);
    }
    return [...found];
  }

  #query(...args: string[]): string {
    return run("dpkg-query", `--admindir=${this.#debian}/var/lib/dpkg`, ...args);
  }

  #folderOf(path: string): void {
    Deno.mkdirSync(this.path + path.slice(0, path.lastIndexOf("/")), { recursive: true });
  }
}

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`Cannot run "${command} ${args.join(" ")}": ${decoder.decode(stderr).trim()}`);
}
