import type { PluginSetup } from "../controller.ts";

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
