import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { PluginSetup } from "../setup.ts";

/** Reads `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`. */
export const bindSetup: PluginSetup = {
  name: "bind",
  setup({ tokens, host, bind }) {
    tokens.eachUse(() => {
      const wanted = readAddresses(tokens, host);
      const excluded = new Set<string>();
      tokens.options({
        except: () => {
          for (const address of readAddresses(tokens, host)) excluded.add(address);
        },
      });
      const left = wanted.filter((address) => !excluded.has(address));
      if (left.length === 0) {
        throw tokens.error('"except" leaves no address to listen on (name fewer there)');
      }
      bind(left);
    });
  },
};

function readAddresses(tokens: Dispenser, host: HostView): string[] {
  return tokens.someArgs("ADDRESS|INTERFACE...").flatMap((text) => {
    const found = host.interfaces().filter(({ name }) => name === text);
    if (found.length > 0) return found.map(({ address }) => canonicalAddress(address));
    const address = text.replace(/^\[(.*)\]$/, "$1");
    if (parseAddress(address.split("%")[0]!) !== null) return [canonicalAddress(address)];
    const known = [...new Set(host.interfaces().map(({ name }) => name))].join(", ");
    const remedy = /^(.*\..*|\[.*\]):[0-9]+$/.test(text)
      ? "a port follows the zone: .:1053"
      : `there are ${known || "none"}`;
    throw tokens.error(
      `${quote(text)} is neither an IP address nor an interface with one (${remedy})`,
    );
  });
}
