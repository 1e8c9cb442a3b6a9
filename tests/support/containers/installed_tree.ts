import { checksums } from "../../../release/archive.ts";
import { debianName, packDebian } from "../../../release/debian.ts";
import { TARGETS } from "../../../release/compile.ts";
import { readPage } from "../../docs/page.ts";
import { baseTree, BootedTree } from "./booted_tree.ts";
import { IMAGE } from "./image_root.ts";
import { type Program, putNodens } from "./image_program.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const VERSION: string = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)).version;
const INSTALL = "docs/install.md";
const NETWORK_NODENS = "/opt/nodens";

/** DNS server of the network, which knows example.org. */
export const NETWORK_SERVER = "192.0.2.53";
/** Its other address, for changes of the network. */
export const OTHER_SERVER = "192.0.2.54";
export const EXAMPLE = "192.0.2.80";
/** A script that succeeds if nodens answers. */
export const ANSWERS = `nodens query example.org @127.0.0.1 +short | grep -qx ${EXAMPLE}`;

const NETWORK_COREFILE = `. {
    bind ${NETWORK_SERVER} ${OTHER_SERVER}
    hosts /dev/null {
        ${EXAMPLE} example.org
    }
}
`;

/**
 * Connects a tree by eth0 to a network with a DNS server and optionally a DHCP server. eth0 is
 * down and has no address.
 */
const NETWORK = `set -e
ip netns add network
ip link add eth0 type veth peer name eth0 netns network
ip -n network address add ${NETWORK_SERVER}/24 dev eth0
ip -n network address add ${OTHER_SERVER}/24 dev eth0
ip -n network link set lo up
ip -n network link set eth0 up
systemd-run --quiet --unit network-dns -p Type=notify -p NetworkNamespacePath=/run/netns/network \\
  ${NETWORK_NODENS} -conf /opt/network.Corefile -control off`;

export const NETWORK_UP = "ip address add 192.0.2.2/24 dev eth0 && ip link set eth0 up";

/** Version of the update package in /root. */
export const NEXT_VERSION = `${VERSION}+next`;

/** Layers of trees: Debian, and the release's files in /root. */
export class Trees {
  readonly #layers: readonly string[];
  readonly what: string;

  private constructor(layers: readonly string[], what: string) {
    this.#layers = layers;
    this.what = what;
  }

  static async make(folder: string): Promise<Trees> {
    const layer = `${folder}/release`;
    Deno.mkdirSync(`${layer}/root`, { recursive: true });
    Deno.mkdirSync(`${layer}/opt`);
    const program = await putNodens({
      copy(from, to) {
        Deno.mkdirSync((layer + to).replace(/[^/]+\/?$/, ""), { recursive: true });
        run("cp", "-rPT", from, layer + to);
      },
    });
    const compiled = program.command === IMAGE.executable;
    if (compiled) Deno.renameSync(layer + IMAGE.executable, layer + NETWORK_NODENS);
    else writeProgram(layer + NETWORK_NODENS, launcher(program));
    Deno.writeTextFileSync(`${layer}/opt/network.Corefile`, NETWORK_COREFILE);
    packArchive(layer);
    for (const version of [VERSION, NEXT_VERSION]) await packPackage(folder, { layer, version });
    const what = compiled
      ? "the compiled nodens"
      : "a launcher of Deno with the sources (NOT TRIED: the compiled nodens, which cannot be made here)";
    return new Trees([layer, await baseTree(folder)], what);
  }

  async boot(): Promise<BootedTree> {
    const tree = await BootedTree.boot(this.#layers);
    try {
      await tree.must(NETWORK);
      return tree;
    } catch (error) {
      await tree.off();
      throw error;
    }
  }
}

/** Commands in a section of a page. */
export function commandsOf(heading: string, page: string = INSTALL): string[] {
  return readPage(sectionOf(heading, page)).commands.map(({ text }) => text);
}

export function fileOf(heading: string): { name: string; text: string } {
  const saved = /Save (?:it|this) as\s`([^`]+)`[^]*?\n```\w*\n([^]*?)```\n/.exec(
    sectionOf(heading, INSTALL),
  );
  if (saved === null) throw new Error(`No file below "${heading}"`);
  return { name: saved[1]!, text: saved[2]! };
}

function sectionOf(heading: string, page: string): string {
  const text = Deno.readTextFileSync(ROOT + page);
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${page} has no "${heading}"`);
  const rest = text.slice(start + heading.length + 2);
  const end = /^#{2,} /m.exec(rest)?.index ?? rest.length;
  return rest.slice(0, end);
}

/** Installs nodens by the page, up to the Corefile, which forwards to `servers`. */
export async function install(
  tree: BootedTree,
  servers: string = "/etc/nodens/upstreams.conf",
): Promise<void> {
  // A bare Debian has no sudo.
  const [check, unpack, put, version] = commandsOf("## The executable");
  await tree.type([check, unpack, put!.replace("sudo ", ""), version]);
  const folder = `nodens-${VERSION}-linux-$(uname -m)`;
  await tree.type([`cd ${folder}`, ...commandsOf("### Service and account")]);
  const { name, text } = fileOf("### Corefile");
  const [makeFolder, ...rest] = commandsOf("### Corefile");
  await tree.must(makeFolder!);
  tree.write(name, text.replace(/^( +forward \.) .*$/m, `$1 ${servers}`));
  await tree.type(rest);
}

function packArchive(layer: string): void {
  const name = `nodens-${VERSION}-linux-${Deno.build.arch}`;
  const folder = `${layer}/root/${name}`;
  Deno.mkdirSync(folder);
  run("cp", "-P", layer + NETWORK_NODENS, `${folder}/nodens`);
  run("cp", "-rP", `${ROOT}deploy/systemd`, `${ROOT}Corefile.example`, folder);
  const archive = `${name}.tar.gz`;
  run("tar", "-czf", `${layer}/root/${archive}`, "-C", `${layer}/root`, name);
  Deno.writeTextFileSync(`${layer}/root/SHA256SUMS`, checksums(`${layer}/root`, [archive]));
  Deno.removeSync(folder, { recursive: true });
}

async function packPackage(
  folder: string,
  { layer, version }: { layer: string; version: string },
): Promise<void> {
  const target = TARGETS.find(({ machine }) => machine === Deno.build.arch)!;
  const file = `${layer}/root/${debianName({ version, target })}`;
  const executable = layer + NETWORK_NODENS;
  const epochSeconds = 1_700_000_000;
  const made = { root: ROOT, executable, notices: "", target, version, epochSeconds };
  await packDebian(made, { work: `${folder}/package_${version}`, file });
}

/** Replaces the executable: the same permissions, and the unit's environment. */
function launcher({ command, args }: Program): string {
  return `#!/bin/sh\nDENO_DIR=${IMAGE.denoDir} exec ${command} ${args.join(" ")} "$@"\n`;
}

function writeProgram(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, 0o755);
}

function run(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(`Cannot run ${command}: ${new TextDecoder().decode(stderr)}`);
}
