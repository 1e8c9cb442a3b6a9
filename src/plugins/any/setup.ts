import type { PluginSetup } from "../controller.ts";

/** Reads `any`. */
export const anySetup: PluginSetup = {
  name: "any",
  setup({ tokens, addHandler }) {
    tokens.eachUse(() => {});
    addHandler({});
  },
};
