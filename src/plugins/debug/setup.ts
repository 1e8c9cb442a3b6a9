import type { PluginSetup } from "../controller.ts";

/** Reads `debug`; it has no handler. */
export const debugSetup: PluginSetup = {
  name: "debug",
  setup({ tokens, enableDebug }) {
    // Several uses are as good as one, as in CoreDNS; each is looked at for words too many.
    tokens.eachUse(() => {});
    enableDebug();
  },
};
