import type { PluginSetup } from "../controller.ts";

/** Directives that nodens accepts and that change nothing, with why. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  metadata: "no plugin of nodens has metadata",
  cancel: "forward's own limits end a query in time",
  multisocket: "the flag -workers has nodens answer on several threads",
  trace: "nodens exports no traces",
};

/** Readers of these directives: each takes whatever follows it, and warns once. */
export const withoutEffectSetups: readonly PluginSetup[] = Object.entries(WITHOUT_EFFECT)
  .map(([name, why]) => ({
    name,
    setup({ tokens, warn }) {
      let first = true;
      tokens.eachUse(() => {
        tokens.remainingArgs();
        tokens.eachInBlock(() => void tokens.remainingArgs());
        if (first) warn(tokens.directiveLine, `it has no effect: ${why}`);
        first = false;
      });
    },
  }));
