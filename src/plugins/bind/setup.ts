import type { HostView } from "../../config/host.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { suggestion } from "../../corefile/nearest.ts";
import { parseAddress } from "../../dns/address.ts";
import type { PluginSetup } from "../controller.ts";

/** Reads `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`. */
export const bindSetup: PluginSetup = {
  name: "bind",
  setup({ tokens, host, bind }) {
    while (tokens.nextDirective()) {
      const wanted = tokens.someArgs("ADDRESS|INTERFACE...").flatMap((text) =>
        addressesOf(tokens, host, text)
      );
      const excluded = new Set<string>();
      tokens.eachInBlock((option) => {
        if (option !== "except") {
          throw tokens.error(`unknown option "${option}"${suggestion(option, ["except"])}`);
        }
        for (const text of tokens.someArgs("ADDRESS|INTERFACE...")) {
          for (const address of addressesOf(tokens, host, text)) excluded.add(address);
        }
      });
      const left = wanted.filter((address) => !excluded.has(address));
      if (left.length === 0) {
        throw tokens.error('"except" leaves no address to listen on (name fewer there)');
      }
      bind(left);
    }
  },
};

/** The address itself, or all addresses of the interface of that name. */
function addressesOf(tokens: Dispenser, host: HostView, text: string): string[] {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (parseAddress(bare.split("%")[0]!) !== null) return [bare];
  const interfaces = host.interfaces();
  const found = interfaces.filter(({ name }) => name === text).map(({ address }) => address);
  if (found.length > 0) return found;
  const known = [...new Set(interfaces.map(({ name }) => name))].join(", ");
  throw tokens.error(
    `"${text}" is neither an IP address nor an interface with addresses (there are: ${known})`,
  );
}
