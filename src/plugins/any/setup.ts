import type { PluginSetup } from "../setup.ts";

/** Reads `any`. */
export const anySetup: PluginSetup = {
  name: "any",
  answers: true,
  describe: () => "queries for ANY get one small record",
  setup({ tokens, addHandler }) {
    tokens.eachUse(() => {});
    addHandler({});
  },
};
