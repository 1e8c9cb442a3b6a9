import type { PluginSetup } from "../controller.ts";

/** Reads `whoami`. */
export const whoamiSetup: PluginSetup = {
  name: "whoami",
  answers: true,
  describe: () => "clients are told their own address",
  setup({ tokens, addHandler }) {
    // As in CoreDNS, it may be repeated.
    tokens.eachUse(() => {});
    addHandler({});
  },
};
