import { readInteger } from "../../corefile/values.ts";
import { EDNS_PAYLOAD, MAX_UDP_PAYLOAD, MIN_UDP_PAYLOAD } from "../../dns/constants.ts";
import type { PluginSetup } from "../setup.ts";

/** Options of `bufsize`. */
export interface BufsizeOptions {
  sizeBytes: number;
}

const SIZE = { name: "SIZE", min: MIN_UDP_PAYLOAD, max: MAX_UDP_PAYLOAD } as const;

/** Reads `bufsize [SIZE]`. */
export const bufsizeSetup: PluginSetup = {
  name: "bufsize",
  setup({ tokens, addHandler, warn }) {
    let options: BufsizeOptions | null = null;
    tokens.eachUse(() => {
      const { line } = tokens.place;
      const sizeBytes = tokens.nextArg() ? readInteger(tokens, tokens.value, SIZE) : EDNS_PAYLOAD;
      if (options === null) options = { sizeBytes };
      else warn(line, "repeated in this server block; as in CoreDNS, the first one counts");
    });
    if (options !== null) addHandler(options);
  },
};
