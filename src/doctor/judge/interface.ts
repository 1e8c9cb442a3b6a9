import type { LinkKind } from "../../node/interface/options.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";
import { maybeNobody, type Running } from "./listeners.ts";

/** An address on a local link. */
export interface LocalAddress {
  readonly address: string;
  readonly link: string;
  readonly duplicate: boolean;
}

/** Local links, and the wanted one. */
export interface InterfaceFacts {
  readonly wanted: readonly string[];
  readonly setupInterface: boolean;
  readonly name: string;
  readonly running: Running;
  readonly kinds: Readonly<Record<LinkKind, boolean>> | null;
  readonly link: { kind: string; up: boolean; ports: number } | null;
  readonly addresses: readonly LocalAddress[];
}

/** Checks that the kernel can make the link. */
export function judgeLinkKind({ wanted, setupInterface, kinds, link }: InterfaceFacts): Verdict {
  if (wanted.length === 0) return skipped("no -localip: nodens makes no interface");
  if (!setupInterface) return skipped("-setupinterface=false");
  if (kinds === null) return skipped("the kernel cannot be asked (see runtime)");
  if (link?.kind === "dummy" || kinds.dummy) return ok("available");
  if (link?.kind === "bridge" || kinds.bridge) {
    return ok("no sign of dummy links; a bridge without ports works as well");
  }
  return warning(
    "no sign of dummy links or bridges; the addresses would be added to lo, which works too",
    "load the module dummy on the host (modprobe dummy, and /etc/modules-load.d)",
  );
}

/** Checks the link and its addresses. */
export function judgeInterface(facts: InterfaceFacts): Verdict {
  const { wanted, setupInterface, name, running, link, addresses } = facts;
  if (wanted.length === 0) return skipped("no -localip: nodens makes no interface");
  if (setupInterface && link !== null) {
    if (link.kind !== "dummy" && link.kind !== "bridge") {
      return problem(
        `there is a link "${name}" of the kind "${link.kind || "real device"}"`,
        "name another with -interfacename",
      );
    }
    if (link.ports > 0) {
      return problem(
        `"${name}" is a bridge with ${link.ports} ports: another program uses it`,
        "name another link with -interfacename",
      );
    }
  }
  const places = wanted.map((address) => ({
    address,
    on: addresses.filter((one) => one.address === address),
  }));
  const pick = (test: (on: LocalAddress[]) => boolean) =>
    places.filter(({ on }) => test(on)).map(({ address }) => address);
  const ipvs = pick((on) => on.some(({ link }) => link === "kube-ipvs0")).join(", ");
  if (ipvs !== "") {
    return problem(
      `${ipvs} is on kube-ipvs0: kube-proxy in IPVS mode has it, and takes its queries`,
      `leave ${ipvs} out of -localip, and give pods the link-local address by kubelet's clusterDNS`,
    );
  }
  const others = places.flatMap(({ address, on }) =>
    on.filter(({ link }) => link !== name && link !== "lo").map(({ link }) =>
      `${address} on ${link}`
    )
  );
  if (setupInterface && others.length > 0) {
    return problem(
      `another interface has an address of -localip: ${others.join(", ")}`,
      "remove it there, or give -localip unused addresses",
    );
  }
  const twice = pick((on) => on.length > 0 && on.every(({ duplicate }) => duplicate));
  if (twice.length > 0) {
    return problem(
      `another machine was found to have ${twice.join(", ")}`,
      "give -localip addresses that only this node has",
    );
  }
  const missing = pick((on) => on.length === 0);
  if (!setupInterface && missing.length > 0) {
    return problem(
      `no interface has ${missing.join(", ")}, and -setupinterface=false says not to make one`,
      `put the addresses on an interface (ip address add ${missing[0]} dev …), or let nodens do it`,
    );
  }
  if (maybeNobody(running) && (link === null || missing.length > 0)) {
    return ok(`nodens will make "${name}" with ${wanted.join(", ")}`);
  }
  if (missing.length > 0) {
    return problem(
      `no interface has ${missing.join(", ")}, though a server runs`,
      "nodens restores it after -syncinterval at the latest; if not, its log says why",
    );
  }
  if (setupInterface && link !== null && !link.up) {
    return problem(`"${name}" is down`, `set it up (ip link set ${name} up)`);
  }
  const links = new Set(places.flatMap(({ on }) => on.map(({ link }) => link)));
  return ok(`${[...links].join(", ")} has ${wanted.join(", ")}`);
}
