import { visibleText } from "../base/visible.ts";
import type { Link } from "../sys/netlink/rtnetlink_messages.ts";

/** Interfaces to answer on: those that are suitable, or these. */
export type Selection = "auto" | readonly string[];

/**
 * How answers leave: `local`: the packet goes on through lo; `redirect`: it is sent out of the
 * interface that it came in by.
 */
export type Way = "local" | "redirect";

/** An interface to answer on. */
export interface Candidate {
  readonly index: number;
  readonly name: string;
  readonly way: Way;
}

/** Result of `chooseInterfaces`. */
export interface Choice {
  readonly candidates: readonly Candidate[];
  /** By name: why an interface that was named is not used. */
  readonly unsuitable: ReadonlyMap<string, string>;
  /** Suitable ones beyond the limit. */
  readonly excess: number;
}

/** Ways that a selection can need. */
export function waysOf(selection: Selection): Way[] {
  if (selection === "auto") return ["local", "redirect"];
  const ways = selection.map((name): Way => name === "lo" ? "local" : "redirect");
  return [...new Set(ways)];
}

/** Pods of a node: the kubelet's default limit is 110, the highest in use about 1,000. */
export const MAX_INTERFACES = 1024;

/** Kinds of ports that lead to programs on this machine, besides those of pods. */
const LOCAL_PORTS = ["tun", "dummy"];

/**
 * Chooses interfaces: lo, bridges of pods, and pods' veths outside bridges. `uplinks` have a default
 * route: to a container, its veth is what a physical device is to a host, so it must be named.
 * `redirected`: bridges show the program queries whose address rules of `-redirect` have changed.
 */
export function chooseInterfaces(
  links: readonly Link[],
  selection: Selection,
  uplinks: readonly string[] = [],
  redirected = false,
): Choice {
  const ports = Map.groupBy(links.filter(({ master }) => master !== 0), ({ master }) => master);
  const byIndex = new Map(links.map((link) => [link.index, link]));
  const judge = (link: Link): Way | string => {
    if (link.name === "lo") return "local";
    if (link.kind === "bridge") {
      if (redirected) {
        return "the rules of -redirect come first on bridges (bridge-nf-call-iptables)";
      }
      return judgeBridge(ports.get(link.index) ?? []) ?? "redirect";
    }
    if (link.kind === "veth") return judgeVeth(link, byIndex.get(link.master)) ?? "redirect";
    return link.kind === ""
      ? "it is a physical device, or one of the system's own"
      : `it is of the kind ${link.kind}`;
  };
  const suitable: Candidate[] = [];
  const unsuitable = new Map<string, string>();
  const named = selection === "auto" ? null : new Set(selection);
  const missing = new Set(named);
  for (const link of links.toSorted((a, b) => a.index - b.index)) {
    const { index, name } = link;
    if (named === null ? uplinks.includes(name) : !named.has(name)) continue;
    missing.delete(name);
    const way = judge(link);
    if (way === "local" || way === "redirect") {
      suitable.push({ index, name: visibleText(name), way });
    } else if (named !== null) unsuitable.set(name, way);
  }
  for (const name of missing) unsuitable.set(name, "there is no such interface");
  const candidates = suitable.slice(0, MAX_INTERFACES);
  return { candidates, unsuitable, excess: suitable.length - candidates.length };
}

function judgeBridge(ports: readonly Link[]): string | null {
  // Packets of other machines must meet the rules of this one.
  const outward = ports.find(({ kind }) => kind !== "veth" && !LOCAL_PORTS.includes(kind));
  if (outward !== undefined) return `its port ${visibleText(outward.name)} leads to other machines`;
  return ports.some(({ kind }) => kind === "veth") ? null : "it is a bridge without ports of pods";
}

function judgeVeth({ elsewhere }: Link, master: Link | undefined): string | null {
  if (master?.kind === "bridge") {
    return `it is a port of the bridge ${visibleText(master.name)}: name that`;
  }
  return elsewhere ? null : "its peer is in this network namespace";
}
