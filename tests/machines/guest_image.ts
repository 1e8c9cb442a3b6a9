/**
 * Files of a virtual machine: an initramfs with programs, Deno and the project with its modules,
 * and another with a kernel's modules.
 */
import { mustRun } from "../../release/command.ts";
import { ROOTS } from "../../release/graph.ts";
import { have } from "../support/run/require.ts";
import { kernelImage, packInitramfs } from "./machine.ts";

const PROJECT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const SOURCES = [
  ...["main.ts", "deno.json", "deno.lock", "dev.lock", "src", "release", "bench/servers"],
  ...["tests/support", "tests/machines/guest", "tests/config/node_local_dns.corefile"],
];
/** The node role, and other code that depends on the kernel. */
const TESTS = [
  "tests/machines/guest/node_role.ts",
  ...["linux_streams", "steering", "upstream_sockets"].map((name) => `tests/io/${name}_test.ts`),
  "tests/sys/netlink/sock_diag_test.ts",
];
const PROGRAMS = ["ip", "dig", "named", "curl", "xtables-nft-multi", "xtables-legacy-multi"];
/** Extensions that iptables loads by name. */
const EXTENSIONS = "/usr/lib/x86_64-linux-gnu/xtables";
const SETTINGS = ["hosts", "protocols", "services", "passwd", "group", "nsswitch.conf"];
const APPLETS = ["/bin/cp", "/bin/mount", "/bin/sleep", "/sbin/modprobe", "/sbin/poweroff"];
/** Module folders for a node's network. */
const MODULES = [
  ...["net/netfilter", "net/ipv4", "net/ipv6", "net/bridge", "net/802", "net/llc", "net/netlink"],
  ...["drivers/net/dummy", "drivers/net/veth", "lib", "crypto/crc32c", "arch/x86/crypto/crc32"],
];

export const TOOLS = ["ldd", "xz", ...PROGRAMS];

/** Writes the programs' initramfs; `folder` gets its files and the cache of modules. */
export async function writePrograms(path: string, folder: string): Promise<void> {
  const root = `${folder}/root`;
  const deno = Deno.execPath();
  const modules = `${folder}/deno`;
  for (const name of ["dev", "proc", "sys", "run", "tmp", "root", "var/cache/bind", "var/run"]) {
    Deno.mkdirSync(`${root}/${name}`, { recursive: true });
  }
  copy(located("busybox"), `${root}/bin/busybox`);
  for (const path of APPLETS) link("/bin/busybox", root + path);
  // Not busybox's shell, which prefers its own `ip`.
  const shell = Deno.realPathSync("/bin/sh");
  link(shell, `${root}/bin/sh`);
  for (const program of [deno, shell, ...PROGRAMS.map(located)]) {
    for (const file of [program, ...await librariesOf(program)]) copy(file, root + file);
  }
  for (const name of ["iptables", "ip6tables"]) {
    for (const backend of ["", "nft", "legacy"]) {
      for (const what of ["", "save", "restore"]) {
        const words = [name, backend, what].filter((word) => word !== "");
        link(located(`xtables-${backend || "nft"}-multi`), `${root}/usr/sbin/${words.join("-")}`);
      }
    }
  }
  await mustRun(deno, ["cache", "--lock=dev.lock", "--frozen", ...ROOTS, ...TESTS], {
    cwd: PROJECT,
    env: { DENO_DIR: modules },
  });
  copy(modules, `${root}/root/deno`);
  const files = [...SETTINGS.map((name) => `/etc/${name}`), EXTENSIONS];
  for (const file of [...files, ...[...SOURCES, ...TESTS].map((name) => `${PROJECT}/${name}`)]) {
    copy(file, root + file);
  }
  Deno.writeTextFileSync(`${root}/etc/resolv.conf`, "");
  const environment = {
    PROJECT,
    DENO: deno,
    DENO_DIR: "/root/deno",
    TESTS: `"${TESTS.join(" ")}"`,
  };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${value}\n`);
  Deno.writeTextFileSync(`${root}/environment`, lines.join(""));
  copy(new URL("guest/init", import.meta.url).pathname, `${root}/init`);
  await packInitramfs(root, path);
}

export interface Kernel {
  readonly image: string;
  /** As in `uname -r`. */
  readonly release: string;
}

/** Finds the kernel in a folder and writes its modules' initramfs. */
export async function writeModules(folder: string, path: string): Promise<Kernel> {
  const image = kernelImage(folder);
  const release = image.replace(/^.*\/vmlinuz-/, "");
  const modules = [`lib/modules/${release}`, `usr/lib/modules/${release}`]
    .map((name) => `${folder}/${name}`).find(exists);
  if (modules === undefined) throw new Error(`There are no modules in ${folder}`);
  const root = `${folder}/initramfs`;
  const target = `${root}/lib/modules/${release}`;
  for (const name of MODULES) {
    for (const file of filesBelow(`${modules}/kernel`, name)) {
      const to = `${target}/kernel/${file}`;
      copy(`${modules}/kernel/${file}`, to);
      // busybox's modprobe cannot read it.
      if (file.endsWith(".xz")) await mustRun("xz", ["-d", to]);
    }
  }
  for (const name of ["modules.builtin", "modules.order"]) {
    copy(`${modules}/${name}`, `${target}/${name}`);
  }
  await mustRun("busybox", ["depmod", "-b", root, release]);
  await packInitramfs(root, path);
  return { image, release };
}

function filesBelow(folder: string, name: string): string[] {
  const found: string[] = [];
  const walk = (path: string) => {
    for (const { name: entry, isDirectory } of Deno.readDirSync(`${folder}/${path}`)) {
      const below = path === "" ? entry : `${path}/${entry}`;
      if (isDirectory) {
        if (below.startsWith(name) || name.startsWith(`${below}/`)) walk(below);
      } else if (below.startsWith(name)) found.push(below);
    }
  };
  walk("");
  return found;
}

/** Copies a file or folder and follows links. Parts of it may exist. */
function copy(from: string, to: string): void {
  if (Deno.statSync(from).isDirectory) {
    for (const { name } of Deno.readDirSync(from)) copy(`${from}/${name}`, `${to}/${name}`);
    return;
  }
  Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  Deno.copyFileSync(from, to);
}

function link(target: string, path: string): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.symlinkSync(target, path);
}

function located(program: string): string {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const folder = folders.find((folder) => have(`${folder}/${program}`));
  if (folder === undefined) throw new Error(`${program} is missing`);
  return `${folder}/${program}`;
}

async function librariesOf(program: string): Promise<string[]> {
  const text = await mustRun("ldd", [program]);
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
