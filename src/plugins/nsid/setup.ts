import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../setup.ts";

/** Options of `nsid`. */
export interface NsidOptions {
  /** At most 128 octets. */
  data: string;
}

/** Fits into 512 octets with the longest name and all options. */
const MAX_SIZE = 128;

/** Reads `nsid [DATA]`. */
export const nsidSetup: PluginSetup = {
  name: "nsid",
  setup({ tokens, host, addHandler }) {
    tokens.once(() => {
      const words = tokens.remainingArgs();
      const data = words.length === 0 ? host.hostname() || "localhost" : words.join(" ");
      const size = new TextEncoder().encode(data).length;
      if (size > MAX_SIZE) {
        const what = words.length === 0 ? `the host name ${quote(data)}` : quote(data);
        throw tokens.error(`${what} has ${size} octets (DATA: at most ${MAX_SIZE})`);
      }
      addHandler({ data } satisfies NsidOptions);
    });
  },
};
