import { formatIPv6 } from "../../dns/address.ts";
import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";
import type { WantedAddress } from "./options.ts";

/** The link that has the addresses of all Services where kube-proxy works by IPVS. */
const IPVS_LINK = "kube-ipvs0";

/** Tells, once each, of wanted addresses that other links have too: they stay after the end. */
export class ElsewhereWatch {
  readonly #wanted: readonly WantedAddress[];
  readonly #warn: (text: string) => void;
  #told: ReadonlySet<string> = new Set();

  constructor(wanted: readonly WantedAddress[], warn: (text: string) => void) {
    this.#wanted = wanted;
    this.#warn = warn;
  }

  /**
   * Looks through the addresses of other links.
   *
   * @param links - all links; asked for only if there is something to tell
   */
  look(others: readonly LinkAddress[], links: () => readonly Link[]): void {
    const found = others.filter(({ bytes }) =>
      this.#wanted.some((wanted) => !wanted.loopback && areEqual(wanted.bytes, bytes))
    );
    const named = found.length === 0 ? [] : links();
    const texts = new Set<string>();
    for (const { bytes, prefixLength, index } of found) {
      const name = named.find((link) => link.index === index)?.name ?? String(index);
      if (name === IPVS_LINK) continue;
      const host = bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes);
      const address = `${host}/${prefixLength}`;
      texts.add(
        `${address} is on ${name} too, so without nodens queries to it still end on this machine,` +
          ` and reach nobody: ip address del ${address} dev ${name}`,
      );
    }
    for (const text of texts) if (!this.#told.has(text)) this.#warn(text);
    this.#told = texts;
  }
}

/** Whether two addresses are the same. */
export function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
