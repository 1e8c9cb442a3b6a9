import type { PluginSetup } from "../controller.ts";

/** Reads `debug`; it has no handler. */
export const debugSetup: PluginSetup = {
  name: "debug",
  setup({ tokens, enableDebug }) {
    // As in CoreDNS, it may be repeated.
    tokens.eachUse(() => {});
    enableDebug();
  },
};
