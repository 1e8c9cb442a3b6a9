import { Faults, TooManyFaults } from "../corefile/error.ts";
import type { ImportView } from "../corefile/import_paths.ts";
import {
  type Block,
  blockFor,
  forwardFor,
  linesOf,
  lineText,
  readBlocks,
  serversOf,
  shortZone,
  zoneOf,
} from "./blocks.ts";
import type { HostEntry, Inherited, Rewrite, StubZone } from "./cluster.ts";
import { type Edit, endOf, indentAfter, openingLine } from "./edits.ts";

interface NodeCorefile {
  readonly text: string;
  /** With variables filled. */
  readonly filled: string;
  readonly file: string;
  readonly view: ImportView;
  readonly port: number;
  /** The cluster's domain, if the ConfigMaps lack it. */
  readonly domain: string;
}

/** A part the node's Corefile lacks. */
export interface Missing {
  /** Place in the ConfigMap. */
  readonly where: string;
  readonly what: string;
  /** Why the edits leave it out, or null. */
  readonly left: string | null;
}

/** The difference, and edits of `text` that remove it. */
export interface Comparison {
  readonly missing: readonly Missing[];
  readonly edits: readonly Edit[];
}

/** Directives of the catch-all block that each block needs. */
const COMMON = ["errors", "reload", "loop", "bind", "prometheus"];
/** node-cache's value for stub zones. */
const CACHE = "cache 30";

/** Finds names for which the cluster DNS is configured but not asked. */
export function compare(inherited: Inherited, node: NodeCorefile): Comparison {
  return new Comparer(inherited, node).compare();
}

class Comparer {
  readonly #inherited: Inherited;
  readonly #node: NodeCorefile;
  readonly #domain: string;
  readonly #blocks: Block[];
  /** Blocks with unfilled variables, at the same indexes. */
  readonly #written: Block[];
  readonly #root: Block | null;
  readonly #writtenRoot: Block | null;
  /** Line of the opening brace of the written one. */
  readonly #opening: number | null;
  readonly #cluster: ReadonlySet<string>;
  readonly #missing: Missing[] = [];
  readonly #edits: Edit[] = [];

  constructor(inherited: Inherited, node: NodeCorefile) {
    this.#inherited = inherited;
    this.#node = node;
    this.#domain = inherited.domain ?? zoneOf(node.domain) ?? ".";
    this.#blocks = this.#read(node.filled, node.view);
    this.#written = this.#read(node.text, { ...node.view, env: (name) => `{$${name}}` });
    const rootOf = (blocks: Block[]) => blocks.find(({ zones }) => zones.includes(".")) ?? null;
    this.#root = rootOf(this.#blocks);
    const root = this.#writtenRoot = rootOf(this.#written);
    const isOwn = root !== null && root.file === node.file;
    this.#opening = isOwn ? openingLine(node.text, root.line - 1) : null;
    const servers = this.#serversFor(this.#domain);
    // Servers of a file are not the cluster's: the domain has no block.
    this.#cluster = [...servers].some((one) => one.startsWith("/")) ? new Set() : servers;
  }

  compare(): Comparison {
    for (const stub of this.#inherited.zones) this.#compareZone(stub);
    const top = [...this.#compareRewrites(), ...this.#compareHosts()];
    if (top.length > 0) this.#edits.push({ at: this.#opening! + 1, remove: 0, lines: top });
    this.#compareUpstreams();
    return { missing: this.#missing, edits: this.#edits };
  }

  #read(text: string, view: ImportView): Block[] {
    const { file, port } = this.#node;
    const faults = new Faults();
    try {
      return readBlocks({ file, text, view }, { port, defaultPort: port }, faults).blocks;
    } catch (error) {
      if (!(error instanceof TooManyFaults)) throw error;
      return [];
    }
  }

  #serversFor(name: string): Set<string> {
    return new Set(serversOf(forwardFor(blockFor(this.#blocks, name), name)));
  }

  #asksCluster(name: string): boolean {
    return this.#cluster.size > 0 && sameSet(this.#serversFor(name), this.#cluster);
  }

  #compareZone({ zone, servers, lines, where }: StubZone): void {
    if (this.#asksCluster(zone)) return;
    const block = blockFor(this.#blocks, zone);
    const from = forwardFor(block, zone)?.words[1]?.text ?? ".";
    const name = shortZone(zone);
    const told = servers.length === 0 ? "" : ` (${servers.join(" ")})`;
    if (block?.zones.includes(zone) || zoneOf(from) === zone) {
      const own = this.#serversFor(zone);
      if (servers.length === 0 || sameSet(own, new Set(servers))) return;
      const what = `the zone ${name} has other servers${told} than on the node`;
      const left = `the node's Corefile has that zone (${[...own].join(" ") || "no forward"})`;
      this.#missing.push({ where, what, left });
      return;
    }
    const toCluster = lines === null ? this.#clusterForward(".") : [];
    const left = toCluster === null
      ? "only the cluster DNS can answer for it, and no block of the node forwards" +
        ` ${shortZone(this.#domain)} to it`
      : null;
    this.#missing.push({ where, what: `the zone ${name}${told}`, left });
    if (left !== null) return;
    const common = linesOf(this.#writtenRoot, ...COMMON).flatMap(text);
    const own = lines === null ? toCluster! : lines.flatMap(text);
    const block_ = [`${name}:${this.#node.port} {`, ...[...common, CACHE, ...own].map(indented)];
    this.#edits.push({ at: Infinity, remove: 0, lines: [...block_, "}"] });
  }

  #compareRewrites(): string[] {
    const here = new Set(linesOf(this.#root, "rewrite").map(ruleText));
    const lost = this.#inherited.rewrites.filter(({ line, zone }) =>
      !here.has(ruleText(line)) && !(zone !== null && this.#asksCluster(zone))
    );
    const brought = lost.filter((rewrite) => {
      const left = rewrite.refused ?? this.#leftInRoot(rewrite.zone);
      this.#missing.push({ where: rewrite.where, what: ruleOf(rewrite), left });
      return left === null;
    });
    if (brought.length === 0) return [];
    // Rewritten names are often the cluster's; the block has other servers.
    const servers = serversOf(forwardFor(this.#root, this.#domain));
    const isThere = sameSet(new Set(servers), this.#cluster);
    const forward = isThere ? [] : this.#clusterForward(shortZone(this.#domain)) ?? [];
    return this.#indented([...brought.flatMap(({ line }) => text(line)), ...forward]);
  }

  #compareHosts(): string[] {
    const [hosts] = linesOf(this.#root, "hosts");
    const here = new Set(
      (hosts?.block ?? []).flatMap(({ words: [address, ...names] }) =>
        names.map(({ text }) => `${address.text} ${zoneOf(text)}`)
      ),
    );
    const lost = this.#inherited.hosts.filter(({ name, address }) =>
      !this.#asksCluster(name) && !here.has(`${address} ${name}`)
    );
    const into = hosts === undefined ? null : this.#insideHosts();
    const brought = lost.filter((entry) => {
      const left = this.#leftInRoot(entry.name) ?? (typeof into === "string" ? into : null);
      const what = `the host ${shortZone(entry.name)} (${entry.address})`;
      this.#missing.push({ where: entry.where, what, left });
      return left === null;
    });
    if (brought.length === 0) return [];
    if (typeof into === "number") {
      const lines = entryLines(brought).map(indented);
      this.#edits.push({ at: into, remove: 0, lines: this.#indented(lines) });
      return [];
    }
    const names = [...new Set(brought.map(({ name }) => shortZone(name)))];
    const { hostsTtl } = this.#inherited;
    return this.#indented([
      // As zones, so that only these names are answered.
      `hosts /etc/hosts ${names.join(" ")} {`,
      ...[...entryLines(brought), ...hostsTtl === null ? [] : [`ttl ${hostsTtl}`], "fallthrough"]
        .map(indented),
      "}",
    ]);
  }

  /** Line behind the opening of the block's `hosts`, or why it cannot be extended. */
  #insideHosts(): number | string {
    const [hosts] = linesOf(this.#writtenRoot, "hosts");
    const { file, line } = hosts!.words[0];
    const isOpen = hosts!.block !== null && hosts!.words.length < 3 && file === this.#node.file &&
      openingLine(this.#node.text, line - 1) === line - 1;
    return isOpen ? line : "the node's block has a hosts of its own (add it there)";
  }

  #compareUpstreams(): void {
    const { upstreams } = this.#inherited;
    const forward = forwardFor(this.#root, ".");
    if (upstreams === null || this.#asksCluster(".")) return;
    const { where, line, servers } = upstreams;
    if (sameSet(new Set(servers), new Set(serversOf(forward)))) return;
    const here = serversOf(forward).join(" ") || "none";
    const what = `the upstream servers ${servers.join(" ")} (on the node: ${here})`;
    const written = forwardFor(this.#writtenRoot, ".")?.words;
    const left = written === undefined || written[0].file !== this.#node.file
      ? "the node's Corefile has no forward for all names in its own text"
      : null;
    this.#missing.push({ where, what, left });
    if (left !== null) return;
    const at = written![0].line - 1;
    const lines = line === null ? [`forward . ${servers.join(" ")}`] : text(line);
    const remove = endOf(this.#node.text, at, forward!.block !== null) - at + 1;
    this.#edits.push({ at, remove, lines: this.#indented(lines) });
  }

  /** Why the root block cannot have it, or null. */
  #leftInRoot(name: string | null): string | null {
    const root = this.#root;
    if (root === null) return "the node's Corefile has no block for all names";
    if (this.#opening === null) return `the block for all names begins in ${root.file}`;
    const block = name === null ? root : blockFor(this.#blocks, name);
    if (block === root) return null;
    return `the node's Corefile has a block for ${block!.zones.map(shortZone).join(" ")}`;
  }

  #indented(lines: readonly string[]): string[] {
    const indent = indentAfter(this.#node.text, this.#opening ?? 0);
    return lines.map((line) => indent + line);
  }

  #clusterForward(from: string): string[] | null {
    if (this.#cluster.size === 0) return null;
    const block = blockFor(this.#blocks, this.#domain);
    const written = block === null ? null : this.#written[this.#blocks.indexOf(block)] ?? null;
    const at = block === null ? -1 : block.lines.indexOf(forwardFor(block, this.#domain)!);
    const line = written?.lines[at];
    if (line === undefined) return null;
    const [directive, zone, ...servers] = line.words;
    return text({ ...line, words: [directive, { ...zone!, text: from }, ...servers] });
  }
}

function text(line: Parameters<typeof lineText>[0]): string[] {
  return lineText(line, "");
}

function indented(line: string): string {
  return `    ${line}`;
}

function ruleText(line: Parameters<typeof lineText>[0]): string {
  return text(line).join("\n");
}

function ruleOf({ line }: Rewrite): string {
  return `the rule "${ruleText(line).split("\n").map((one) => one.trim()).join(" ")}"`;
}

function entryLines(entries: readonly HostEntry[]): string[] {
  return entries.map(({ address, name }) => `${address} ${shortZone(name)}`);
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}
