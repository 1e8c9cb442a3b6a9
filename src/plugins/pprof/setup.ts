import type { PluginSetup } from "../setup.ts";
import { literalHost, readHttpAddress } from "../http_address.ts";

/** Reads `pprof [ADDRESS]`. */
export const pprofSetup: PluginSetup = {
  name: "pprof",
  setup({ tokens, warn, addEndpoint }) {
    tokens.once(() => {
      const { line } = tokens.place;
      const address = readHttpAddress(tokens, "localhost", 6053);
      tokens.options({
        block: () => {
          tokens.remainingArgs();
          warn(tokens.place.line, "block: V8 does not profile blocking (leave it out)");
        },
      });
      if (!/^(127\.|::1$)/.test(literalHost(address.host))) {
        const remedy = "use localhost:6053, unless only trusted hosts reach this address";
        warn(line, `whoever reaches this address can slow nodens down by profiles (${remedy})`);
      }
      addEndpoint({ kind: "pprof", ...address });
    });
  },
};
