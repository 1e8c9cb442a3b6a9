import type { PluginSetup } from "../setup.ts";

/** Reads `whoami`. */
export const whoamiSetup: PluginSetup = {
  name: "whoami",
  answers: true,
  describe: () => "clients are told their own address",
  setup({ tokens, addHandler }) {
    // May be repeated, as in CoreDNS.
    tokens.eachUse(() => {});
    addHandler({});
  },
};
