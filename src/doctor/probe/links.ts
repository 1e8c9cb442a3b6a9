import { addressText } from "../../node/interface/addresses.ts";
import { defaultLinks, defaultLinks6 } from "../../sys/netlink/default_routes.ts";
import { Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { InterfaceFacts, LocalAddress } from "../judge/interface.ts";
import type { Surroundings } from "./options.ts";

/** Links and addresses. */
export interface LinkFacts extends Pick<InterfaceFacts, "kinds" | "link"> {
  readonly addresses: readonly (LocalAddress & { readonly kind: string })[];
  readonly uplinks: readonly string[];
}

/** Reads links and addresses. */
export function probeLinks(
  name: string,
  { tree, host }: Pick<Surroundings, "tree" | "host">,
): LinkFacts {
  if (tree === null) {
    const addresses = host.interfaces().map(({ name: link, address }) => ({
      ...{ address: address.split("%")[0]!, link, duplicate: false, kind: "" },
    }));
    return { kinds: null, link: null, addresses, uplinks: [] };
  }
  const modules = new Set(knownModules(tree));
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
      addresses: links.flatMap(({ index, name: link, kind }) =>
        addresses.filter((one) => one.index === index)
          .map(({ bytes, duplicate }) => ({ address: addressText(bytes), link, kind, duplicate }))
      ),
    };
  } finally {
    kernel.close();
  }
}

/** Available kernel modules; null if unknown. */
export function knownModules(tree: NonNullable<Surroundings["tree"]>): string[] | null {
  const release = tree.read("/proc/sys/kernel/osrelease")?.trim();
  const texts = ["modules.dep", "modules.builtin"].map((file) =>
    tree.read(`/lib/modules/${release}/${file}`)
  );
  if (texts.every((text) => text === null)) return null;
  return [...texts.flatMap((text) => moduleNames(text ?? "")), ...tree.list("/sys/module")];
}

/** Names in modules.dep or modules.builtin: `kernel/net/xt_recent.ko.xz: …`. */
export function moduleNames(text: string): string[] {
  return [...text.matchAll(/([^/:\s]+)\.ko(?:\.[a-z0-9]+)?(?::.*)?$/gm)]
    .map(([, name]) => name!.replaceAll("-", "_"));
}
