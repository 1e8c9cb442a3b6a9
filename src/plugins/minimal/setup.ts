import type { PluginSetup } from "../controller.ts";

/** Reads `minimal`. */
export const minimalSetup: PluginSetup = {
  name: "minimal",
  setup({ tokens, addHandler }) {
    tokens.eachUse(() => {});
    addHandler({});
  },
};
