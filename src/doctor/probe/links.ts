import { formatIPv6 } from "../../dns/address.ts";
import { Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { InterfaceFacts, LocalAddress } from "../judge/interface.ts";
import { moduleNames } from "./matches.ts";
import type { Surroundings } from "./surroundings.ts";

/** What there is of links, addresses and kinds of links. */
export interface LinksLook extends Pick<InterfaceFacts, "kinds" | "link"> {
  readonly addresses: readonly (LocalAddress & { readonly kind: string })[];
  /** Links that a default route leads to: they face the network, and no pods. */
  readonly uplinks: readonly string[];
}

/** Looks at the links of this machine; nothing is asked to be made. */
export function probeLinks(
  name: string,
  { tree, host }: Pick<Surroundings, "tree" | "host">,
): LinksLook {
  const modules = new Set(tree === null ? [] : knownModules(tree) ?? []);
  if (tree === null) {
    const addresses = host.interfaces().map(({ name, address }) => ({
      ...{ address: address.split("%")[0]!, link: name, duplicate: false, kind: "" },
    }));
    return { kinds: null, link: null, addresses, uplinks: [] };
  }
  const kernel = new Rtnetlink();
  try {
    const links = kernel.listLinks();
    const addresses = kernel.listAddresses();
    const found = links.find((link) => link.name === name);
    const has = (kind: string) =>
      modules.has(kind) || links.some((link) => link.kind === kind) ||
      tree.list(`/sys/module/${kind}`).length > 0;
    return {
      kinds: { dummy: has("dummy"), bridge: has("bridge") },
      link: found === undefined ? null : {
        kind: found.kind,
        up: found.up,
        ports: links.filter(({ master }) => master === found.index).length,
      },
      uplinks: [
        ...defaultLinks(tree.read("/proc/net/route") ?? ""),
        ...defaultLinks6(tree.read("/proc/net/ipv6_route") ?? ""),
      ],
      addresses: links.flatMap((link) =>
        addresses.filter(({ index }) => index === link.index).map(({ bytes, duplicate }) => ({
          address: bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes),
          link: link.name,
          kind: link.kind,
          duplicate,
        }))
      ),
    };
  } finally {
    kernel.close();
  }
}

/** Names of the modules that the kernel has or could load; null if that cannot be seen. */
export function knownModules(tree: NonNullable<Surroundings["tree"]>): string[] | null {
  const release = tree.read("/proc/sys/kernel/osrelease")?.trim();
  const texts = ["modules.dep", "modules.builtin"].map((file) =>
    tree.read(`/lib/modules/${release}/${file}`)
  );
  if (texts.every((text) => text === null)) return null;
  return [...texts.flatMap((text) => moduleNames(text ?? "")), ...tree.list("/sys/module")];
}

/** Interfaces of the default routes in /proc/net/route: name, destination, …, mask in column 8. */
export function defaultLinks(text: string): string[] {
  return text.split("\n").map((line) => line.trim().split(/\s+/))
    .flatMap((words) => words[1] === "00000000" && words[7] === "00000000" ? [words[0]!] : []);
}

/** The same of /proc/net/ipv6_route: destination, prefix length, …, name at the end. */
export function defaultLinks6(text: string): string[] {
  return text.split("\n").map((line) => line.trim().split(/\s+/))
    .flatMap((words) =>
      /^0{32}$/.test(words[0]!) && words[1] === "00" && words.at(-1) !== "lo" ? [words.at(-1)!] : []
    );
}
