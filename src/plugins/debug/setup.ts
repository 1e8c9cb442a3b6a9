import type { PluginSetup } from "../setup.ts";

/** Reads `debug`. */
export const debugSetup: PluginSetup = {
  name: "debug",
  setup({ tokens, enableDebug }) {
    // May be repeated, as in CoreDNS.
    tokens.eachUse(() => {});
    enableDebug();
  },
};
