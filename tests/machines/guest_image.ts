/**
 * Files of a virtual machine: an initramfs with programs of this machine, Deno and the project with its
 * modules, and another one with a kernel's modules.
 */
import { mustRun } from "../../release/command.ts";
import { ROOTS } from "../../release/graph.ts";
import { have } from "../support/run/require.ts";
import { Initramfs } from "./initramfs.ts";

const PROJECT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** Parts of the project for the guest's tests. */
const SOURCES = [
  ...["main.ts", "deno.json", "deno.lock", "dev.lock", "src", "release", "bench/servers"],
  ...["tests/support", "tests/machines/guest", "tests/config/node_local_dns.corefile"],
];
/** The node role, and what else depends on the kernel. */
const TESTS = [
  "tests/machines/guest/node_role.ts",
  ...["linux_streams", "steering", "upstream_sockets"].map((name) => `tests/io/${name}_test.ts`),
  "tests/sys/netlink/sock_diag_test.ts",
];
const PROGRAMS = ["ip", "dig", "named", "curl", "xtables-nft-multi", "xtables-legacy-multi"];
/** Extensions of iptables, which it loads by name. */
const EXTENSIONS = "/usr/lib/x86_64-linux-gnu/xtables";
const SETTINGS = ["hosts", "protocols", "services", "passwd", "group", "nsswitch.conf"];
const APPLETS = ["/bin/cp", "/bin/mount", "/bin/sleep", "/sbin/modprobe", "/sbin/poweroff"];
/** Folders of modules that a node's network needs. */
const MODULES = [
  ...["net/netfilter", "net/ipv4", "net/ipv6", "net/bridge", "net/802", "net/llc", "net/netlink"],
  ...["drivers/net/dummy", "drivers/net/veth", "lib", "crypto/crc32c", "arch/x86/crypto/crc32"],
];

/** Programs to make and boot the images. */
export const TOOLS = ["qemu-system-x86_64", "busybox", "ldd", "xz", ...PROGRAMS];

/** Writes the programs' initramfs; `folder` gets the cache of modules. */
export async function writePrograms(path: string, folder: string): Promise<void> {
  const archive = new Initramfs(path);
  archive.device("/dev/console", 5, 1);
  archive.device("/dev/null", 1, 3);
  for (const name of ["proc", "sys", "run", "tmp", "root", "var/cache/bind", "var/run"]) {
    archive.folder(`/${name}`);
  }
  archive.copy(located("busybox"), "/bin/busybox");
  for (const path of APPLETS) archive.link(path, "/bin/busybox");
  const deno = Deno.execPath();
  // Not busybox's shell, which prefers its own `ip`.
  archive.link("/bin/sh", Deno.realPathSync("/bin/sh"));
  for (const program of [deno, Deno.realPathSync("/bin/sh"), ...PROGRAMS.map(located)]) {
    archive.copy(program);
    for (const library of await librariesOf(program)) archive.copy(library);
  }
  for (const name of ["iptables", "ip6tables"]) {
    for (const backend of ["", "nft", "legacy"]) {
      for (const what of ["", "save", "restore"]) {
        const link = [name, backend, what].filter((word) => word !== "").join("-");
        archive.link(`/usr/sbin/${link}`, located(`xtables-${backend || "nft"}-multi`));
      }
    }
  }
  archive.copy(EXTENSIONS);
  for (const name of SETTINGS) archive.copy(`/etc/${name}`);
  archive.file("/etc/resolv.conf", "");
  const modules = `${folder}/deno`;
  await mustRun(deno, ["cache", "--lock=dev.lock", "--frozen", ...ROOTS, ...TESTS], {
    cwd: PROJECT,
    env: { DENO_DIR: modules },
  });
  archive.copy(modules, "/root/deno");
  for (const name of [...SOURCES, ...TESTS]) archive.copy(`${PROJECT}/${name}`);
  const environment = {
    PROJECT,
    DENO: deno,
    DENO_DIR: "/root/deno",
    TESTS: `"${TESTS.join(" ")}"`,
  };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${value}\n`);
  archive.file("/environment", lines.join(""));
  archive.copy(new URL("guest/init", import.meta.url).pathname, "/init");
  archive.close();
}

export interface Kernel {
  readonly image: string;
  /** In `uname -r`. */
  readonly release: string;
}

/** Finds the kernel in a folder and writes its modules' initramfs. */
export async function writeModules(folder: string, path: string): Promise<Kernel> {
  const image = [...Deno.readDirSync(`${folder}/boot`)].find(({ name }) => /^vmlinuz-/.test(name));
  if (image === undefined) throw new Error(`There is no kernel in ${folder}`);
  const release = image.name.replace("vmlinuz-", "");
  const modules = [`lib/modules/${release}`, `usr/lib/modules/${release}`]
    .map((name) => `${folder}/${name}`).find(exists);
  if (modules === undefined) throw new Error(`There are no modules in ${folder}`);
  const root = `${folder}/initramfs`;
  const target = `${root}/lib/modules/${release}`;
  for (const name of MODULES) {
    for (const file of filesBelow(`${modules}/kernel`, name)) {
      const to = `${target}/kernel/${file}`;
      Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
      Deno.copyFileSync(`${modules}/kernel/${file}`, to);
      // busybox's modprobe cannot read it.
      if (file.endsWith(".xz")) await mustRun("xz", ["-d", to]);
    }
  }
  for (const name of ["modules.builtin", "modules.order"]) {
    Deno.copyFileSync(`${modules}/${name}`, `${target}/${name}`);
  }
  await mustRun("busybox", ["depmod", "-b", root, release]);
  const archive = new Initramfs(path);
  archive.copy(`${root}/lib`, "/lib");
  archive.close();
  return { image: `${folder}/boot/${image.name}`, release };
}

/** Files below a folder whose path begins with `name`. */
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
