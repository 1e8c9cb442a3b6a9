export const IMAGE = {
  executable: "/usr/local/bin/nodens",
  denoDir: "/deno-dir",
  sources: "/app/",
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
} as const;

/** Packages of a distroless base with glibc and libgcc. */
const BASE_PACKAGES = ["libc6", "libgcc-s1"] as const;
/** Top folders that are links to /usr, and unnecessary files. */
const LEFT_OUT = /^\/\w+$|^\/(?:etc|usr\/share|var)(?:\/|$)|\/gconv\//;

/** Root of a distroless base without a shell, with Debian's libraries and a test's files. */
export class ImageRoot {
  readonly path: string = Deno.makeTempDirSync({ prefix: "nodens_root_" });
  readonly #debian: string;

  /** @param debian - root of the Debian from which packages are copied */
  constructor(debian: string, packages: readonly (typeof BASE_PACKAGES)[number][] = BASE_PACKAGES) {
    this.#debian = debian;
    try {
      // Temporary folders are private.
      Deno.chmodSync(this.path, 0o755);
      for (const folder of ["dev", "etc", "proc", "run", "tmp"]) {
        Deno.mkdirSync(`${this.path}/${folder}`);
      }
      // As in distroless; podman makes the /tmp of a read-only container like it.
      Deno.chmodSync(`${this.path}/tmp`, 0o1777);
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

  copy(from: string, to: string): void {
    if (Deno.statSync(from).isDirectory) {
      for (const { name } of Deno.readDirSync(from)) {
        // The link to the runtime's downloads is not part of an image.
        if (Deno.lstatSync(`${from}/${name}`).isSymlink) continue;
        this.copy(`${from}/${name}`, `${to.replace(/\/$/, "")}/${name}`);
      }
      return;
    }
    this.#folderOf(to);
    Deno.copyFileSync(from, this.path + to);
  }

  /** Adds iptables with modules and libraries; the commands are nft's. */
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

  /** Direct and indirect library dependencies of a package. */
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
