import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { parseNetwork } from "../../dns/network.ts";
import type { PluginSetup } from "../setup.ts";

/** Options of `dns64`. */
export interface Dns64Options {
  /** 4 to 12 octets. */
  prefix: number[];
  translateAll: boolean;
  allowIpv4: boolean;
}

/** RFC 6052 section 2.1. */
const WELL_KNOWN = "64:ff9b::/96";
/** Prefix lengths in bits, as in CoreDNS. */
const LENGTH = { min: 32, max: 96 } as const;

/** Reads `dns64 [PREFIX] { … }`. */
export const dns64Setup: PluginSetup = {
  name: "dns64",
  describe: () => "makes AAAA records of A records",
  setup({ tokens, addHandler }) {
    const options: Dns64Options = {
      prefix: readPrefix(WELL_KNOWN, tokens),
      translateAll: false,
      allowIpv4: false,
    };
    tokens.once(() => {
      if (tokens.nextArg()) options.prefix = readPrefix(tokens.value, tokens);
      tokens.options({
        prefix: () => options.prefix = readPrefix(tokens.oneArg("PREFIX"), tokens),
        translate_all: () => options.translateAll = true,
        allow_ipv4: () => options.allowIpv4 = true,
      });
    });
    addHandler(options);
  },
};

function readPrefix(text: string, tokens: Dispenser): number[] {
  const network = parseNetwork(text);
  const { min, max } = LENGTH;
  if (
    network?.octets.length !== 16 || network.bits < min || network.bits > max ||
    network.bits % 8 !== 0
  ) {
    throw tokens.error(
      `${quote(text)} is not a prefix (an IPv6 network of ${min} to ${max} bits in steps of 8, ` +
        `such as ${WELL_KNOWN})`,
    );
  }
  return network.octets.slice(0, network.bits / 8);
}
