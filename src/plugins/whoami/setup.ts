import type { PluginSetup } from "../controller.ts";

/** Reads `whoami`. */
export const whoamiSetup: PluginSetup = {
  name: "whoami",
  answers: true,
  describe: () => "clients are told their own address",
  setup({ tokens, addHandler }) {
    // Several uses are as good as one, as in CoreDNS; each is looked at for words too many.
    tokens.eachUse(() => {});
    addHandler({});
  },
};
