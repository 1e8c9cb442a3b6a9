import type { LinkKind } from "../../node/interface/options.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";
import { maybeNobody, type Running } from "./listeners.ts";

const KIND: Check = { id: "interface-kind", title: "Kernel: dummy links" };
const CHECK: Check = { id: "interface", title: "Interface and addresses" };

/** An address on a link of this machine. */
export interface LocalAddress {
  readonly address: string;
  readonly link: string;
  /** The kernel found another machine that has it, and does not use it. */
  readonly duplicate: boolean;
}

/** What is known of the links of this machine. */
export interface InterfaceFacts {
  /** The node role, with addresses; else there is nothing to look at. */
  readonly wanted: readonly string[];
  readonly setupInterface: boolean;
  readonly name: string;
  readonly running: Running;
  /** Signs of what the kernel can make; null if it cannot be asked. */
  readonly kinds: Readonly<Record<LinkKind, boolean>> | null;
  /** The link of that name. */
  readonly link: { kind: string; up: boolean; ports: number } | null;
  readonly addresses: readonly LocalAddress[];
}

/** Whether the kernel can make the link, and whether what is there is right. */
export function judgeInterface(facts: InterfaceFacts): Finding[] {
  const { wanted, setupInterface } = facts;
  if (wanted.length === 0) {
    const why = "no -localip: nodens makes no interface";
    return [skipped(KIND, why), skipped(CHECK, why)];
  }
  const kind = setupInterface ? judgeKind(facts) : skipped(KIND, "-setupinterface=false");
  return [kind, judgeLink(facts)];
}

function judgeKind({ kinds, link }: InterfaceFacts): Finding {
  if (kinds === null) return skipped(KIND, "the kernel cannot be asked (see runtime)");
  if (link?.kind === "dummy" || kinds.dummy) return ok(KIND, "available");
  if (link?.kind === "bridge" || kinds.bridge) {
    return ok(KIND, "no sign of dummy links; a bridge without ports serves as well");
  }
  return warning(
    KIND,
    "no sign of dummy links or bridges; the addresses would be put on lo, which works too",
    "load the module dummy on the host (modprobe dummy, and /etc/modules-load.d)",
  );
}

function judgeLink(facts: InterfaceFacts): Finding {
  const { wanted, setupInterface, name, running, link, addresses } = facts;
  if (setupInterface && link !== null) {
    if (link.kind !== "dummy" && link.kind !== "bridge") {
      return problem(
        CHECK,
        `there is a link "${name}" of the kind "${link.kind || "real device"}"`,
        "name another with -interfacename",
      );
    }
    if (link.ports > 0) {
      return problem(
        CHECK,
        `"${name}" is a bridge with ${link.ports} ports: it belongs to somebody else`,
        "name another link with -interfacename",
      );
    }
  }
  const places = wanted.map((address) => ({
    address,
    on: addresses.filter((one) => one.address === address),
  }));
  const ipvs = places.filter(({ on }) => on.some(({ link }) => link === "kube-ipvs0"));
  if (ipvs.length > 0) {
    const list = ipvs.map(({ address }) => address).join(", ");
    return problem(
      CHECK,
      `${list} is on kube-ipvs0: kube-proxy in IPVS mode has it, and takes its queries`,
      `leave ${list} out of -localip, and give pods the link-local address by kubelet's clusterDNS`,
    );
  }
  const others = places.flatMap(({ address, on }) =>
    on.filter(({ link }) => link !== name && link !== "lo").map(({ link }) => ({ address, link }))
  );
  if (setupInterface && others.length > 0) {
    const list = others.map(({ address, link }) => `${address} on ${link}`).join(", ");
    return problem(
      CHECK,
      `another interface has an address of -localip: ${list}`,
      "take it away there, or give -localip addresses that nobody has",
    );
  }
  const twice = places.filter(({ on }) => on.length > 0 && on.every(({ duplicate }) => duplicate));
  if (twice.length > 0) {
    return problem(
      CHECK,
      `another machine was found to have ${twice.map(({ address }) => address).join(", ")}`,
      "give -localip addresses that are this node's alone",
    );
  }
  const missing = places.filter(({ on }) => on.length === 0).map(({ address }) => address);
  const there = wanted.filter((address) => !missing.includes(address));
  if (!setupInterface && missing.length > 0) {
    return problem(
      CHECK,
      `no interface has ${missing.join(", ")}, and -setupinterface=false says not to make one`,
      `put the addresses on an interface (ip address add ${missing[0]} dev …), or let nodens do it`,
    );
  }
  if (maybeNobody(running) && (link === null || missing.length > 0)) {
    return ok(CHECK, `nodens will make "${name}" with ${wanted.join(", ")}`);
  }
  if (missing.length > 0) {
    return problem(
      CHECK,
      `no interface has ${missing.join(", ")}, though somebody serves`,
      `nodens puts it back by itself, at the latest after -syncinterval; if not, its log says why`,
    );
  }
  if (setupInterface && link !== null && !link.up) {
    return problem(CHECK, `"${name}" is down`, `set it up (ip link set ${name} up)`);
  }
  const links = new Set(places.flatMap(({ on }) => on.map(({ link }) => link)));
  return ok(CHECK, `${[...links].join(", ")} has ${there.join(", ")}`);
}
