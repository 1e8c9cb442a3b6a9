import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { unknownOption } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { formatIPv6, parseAddress } from "../../dns/address.ts";
import type { PluginSetup } from "../controller.ts";

const ARGUMENTS = "ADDRESS|INTERFACE...";

/** Reads `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`; it has no handler. */
export const bindSetup: PluginSetup = {
  name: "bind",
  setup({ tokens, host, bind }) {
    tokens.eachUse(() => {
      const wanted = readAddresses(tokens, host);
      const excluded = new Set<string>();
      tokens.eachInBlock((option) => {
        if (option !== "except") {
          throw tokens.error(unknownOption(option, ["except"]));
        }
        for (const address of readAddresses(tokens, host)) excluded.add(address);
      });
      const left = wanted.filter((address) => !excluded.has(address));
      if (left.length === 0) {
        throw tokens.error('"except" leaves no address to listen on (name fewer there)');
      }
      bind(left);
    });
  },
};

/** The addresses on the rest of the line, for an interface all those that it has. */
function readAddresses(tokens: Dispenser, host: HostView): string[] {
  return tokens.someArgs(ARGUMENTS).flatMap((text) => {
    const found = host.interfaces().filter(({ name }) => name === text);
    if (found.length > 0) return found.map(({ address }) => canonical(address) ?? address);
    const address = canonical(text.replace(/^\[(.*)\]$/, "$1"));
    if (address !== null) return [address];
    const known = [...new Set(host.interfaces().map(({ name }) => name))].join(", ");
    throw tokens.error(
      `${quote(text)} is neither an IP address nor an interface with one ` +
        (/^(.*\..*|\[.*\]):[0-9]+$/.test(text)
          ? "(a port stands behind the zone: .:1053)"
          : `(there are ${known || "none"})`),
    );
  });
}

/** One spelling for equal addresses, or null for what is none. */
function canonical(text: string): string | null {
  const [host, scope] = text.split("%");
  const bytes = parseAddress(host!);
  if (bytes === null) return null;
  const address = bytes.length === 4 ? host! : formatIPv6(bytes);
  return scope === undefined ? address : `${address}%${scope}`;
}
