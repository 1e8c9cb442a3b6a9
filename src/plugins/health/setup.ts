import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { PluginSetup } from "../setup.ts";
import { readHttpAddress } from "../http_address.ts";

const LAMEDUCK = { name: "lameduck", min: 0, max: MAX_DURATION_MS } as const;

/** Reads `health [ADDRESS] { lameduck DURATION }`. */
export const healthSetup: PluginSetup = {
  name: "health",
  setup({ tokens, addEndpoint }) {
    tokens.once(() => {
      const address = readHttpAddress(tokens, "", 8080);
      let lameduckMs = 0;
      tokens.options({
        lameduck: () => lameduckMs = readDuration(tokens, tokens.oneArg("DURATION"), LAMEDUCK),
      });
      addEndpoint({ kind: "health", ...address, lameduckMs });
    });
  },
};
