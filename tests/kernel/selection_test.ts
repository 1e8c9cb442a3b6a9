import assert from "node:assert/strict";
import { chooseInterfaces, MAX_INTERFACES, type Selection } from "../../src/kernel/selection.ts";
import type { Link } from "../../src/sys/netlink/rtnetlink_messages.ts";

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  return { index, name, kind: "", up: true, master: 0, elsewhere: false, ...more };
}

const LO = link(1, "lo");
const ETH = link(2, "eth0");
const CNI = link(3, "cni0", { kind: "bridge" });
const PORT = link(4, "veth4", { kind: "veth", master: 3, elsewhere: true });
const POD = link(5, "cali5", { kind: "veth", elsewhere: true });

interface Case {
  what: string;
  links: Link[];
  selection?: Selection;
  uplinks?: string[];
  redirected?: boolean;
  chosen: string[];
  unsuitable?: Record<string, string>;
}

const CASES: Case[] = [
  {
    what: "auto takes lo, bridges of pods and pods' veths, and no physical device",
    links: [POD, PORT, CNI, ETH, LO],
    chosen: ["lo local", "cni0 redirect", "cali5 redirect"],
  },
  {
    what: "a bridge without ports is left out",
    links: [LO, CNI],
    chosen: ["lo local"],
  },
  {
    what: "a bridge with a port of virtual machines only is left out",
    links: [CNI, link(6, "tap0", { kind: "tun", master: 3 })],
    chosen: [],
  },
  {
    what: "a bridge with ports of pods and of virtual machines is taken",
    links: [CNI, PORT, link(6, "tap0", { kind: "tun", master: 3 })],
    chosen: ["cni0 redirect"],
  },
  ...["", "bond", "vlan", "vxlan"].map((kind) => ({
    what: `a bridge with a port of kind "${kind}" is left out, and its veths too`,
    links: [CNI, PORT, link(6, "uplink", { kind, master: 3 })],
    chosen: [],
  })),
  {
    what: "a veth whose peer is here is left out",
    links: [link(7, "veth7", { kind: "veth" })],
    chosen: [],
  },
  {
    what: "a veth with a master that is not a bridge is taken",
    links: [
      link(8, "vrf8", { kind: "vrf" }),
      link(9, "v9", { kind: "veth", master: 8, elsewhere: true }),
    ],
    chosen: ["v9 redirect"],
  },
  {
    what: "the interface of a default route is left out",
    links: [LO, POD, link(9, "eth0", { kind: "veth", elsewhere: true })],
    uplinks: ["eth0"],
    chosen: ["lo local", "cali5 redirect"],
  },
  {
    what: "the interface of a default route is taken if it is named",
    links: [LO, link(9, "eth0", { kind: "veth", elsewhere: true })],
    selection: ["eth0"],
    uplinks: ["eth0"],
    chosen: ["eth0 redirect"],
  },
  {
    what: "names are safe on a terminal",
    links: [link(9, "v\u001b[2J", { kind: "veth", elsewhere: true })],
    chosen: ["v\\u001b[2J redirect"],
  },
  {
    what: "names are taken alone",
    links: [LO, CNI, PORT, POD],
    selection: ["cni0", "lo"],
    chosen: ["lo local", "cni0 redirect"],
  },
  {
    what: "each name that is not taken has its reason",
    links: [
      LO,
      ETH,
      CNI,
      PORT,
      link(7, "veth7", { kind: "veth" }),
      link(8, "vx", { kind: "vxlan" }),
    ],
    selection: ["eth0", "veth4", "veth7", "vx", "nosuch0", "lo"],
    chosen: ["lo local"],
    unsuitable: {
      eth0: "it is a physical device, or one of the system's own",
      veth4: "it is a port of the bridge cni0: name that",
      veth7: "its peer is in this network namespace",
      vx: "it is of the kind vxlan",
      nosuch0: "there is no such interface",
    },
  },
  {
    what: "bridges after the rules of -redirect are left out, and their veths too",
    links: [CNI, PORT, link(1, "lo")],
    redirected: true,
    chosen: ["lo local"],
  },
  {
    what: "a bridge that is named has its reasons as well",
    links: [CNI, PORT, link(6, "eth1", { master: 3 }), link(9, "br9", { kind: "bridge" })],
    selection: ["cni0", "br9"],
    chosen: [],
    unsuitable: {
      cni0: "its port eth1 leads to other machines",
      br9: "it is a bridge without ports of pods",
    },
  },
];

for (const one of CASES) {
  const { links, selection = "auto", uplinks, redirected, chosen, unsuitable = {} } = one;
  Deno.test(`kernel hits, interfaces: ${one.what}`, () => {
    const choice = chooseInterfaces(links, selection, uplinks, redirected);
    assert.deepEqual(choice.candidates.map(({ name, way }) => `${name} ${way}`), chosen);
    assert.deepEqual(Object.fromEntries(choice.unsuitable), unsuitable);
    assert.equal(choice.excess, 0);
  });
}

Deno.test("kernel hits, interfaces: their number is bounded, the oldest count", () => {
  const links = Array.from(
    { length: MAX_INTERFACES + 3 },
    (_, i) => link(2000 - i, `v${2000 - i}`, { kind: "veth", elsewhere: true }),
  );
  const { candidates, excess } = chooseInterfaces(links, "auto");
  assert.equal(candidates.length, MAX_INTERFACES);
  assert.equal(excess, 3);
  assert.equal(candidates[0]!.index, 2000 - links.length + 1);
});
