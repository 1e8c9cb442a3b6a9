import type { PluginSetup } from "../setup.ts";

/** Reads `minimal`. */
export const minimalSetup: PluginSetup = {
  name: "minimal",
  setup({ tokens, addHandler }) {
    tokens.eachUse(() => {});
    addHandler({});
  },
};
