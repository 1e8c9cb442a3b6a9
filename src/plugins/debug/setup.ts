import type { PluginSetup } from "../controller.ts";

/** Reads `debug`. */
export const debugSetup: PluginSetup = {
  name: "debug",
  setup({ tokens, enableDebug }) {
    tokens.nextDirective();
    if (tokens.nextArg()) {
      throw tokens.error(`takes no argument, read "${tokens.value}" (write just "debug")`);
    }
    enableDebug();
  },
};
