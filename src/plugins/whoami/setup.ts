import type { PluginSetup } from "../controller.ts";

/** Reads `whoami`. */
export const whoamiSetup: PluginSetup = {
  name: "whoami",
  setup({ tokens, addHandler }) {
    tokens.nextDirective();
    if (tokens.nextArg()) {
      throw tokens.error(`takes no argument, read "${tokens.value}" (write just "whoami")`);
    }
    addHandler({});
  },
};
