import type { PluginSetup } from "../setup.ts";

/** Ignored directives, with the reason. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  metadata: "no plugin of nodens has metadata",
  cancel: "forward's own limits end a query in time",
  multisocket: "the flag -workers makes nodens answer on several threads",
  trace: "nodens exports no traces",
};

/** Setups of these directives; each warns once. */
export const withoutEffectSetups: readonly PluginSetup[] = Object.entries(WITHOUT_EFFECT)
  .map(([name, why]) => ({
    name,
    setup({ tokens, warn }) {
      warn(tokens.directiveLine, `it has no effect: ${why}`);
      tokens.eachUse(() => {
        tokens.remainingArgs();
        tokens.eachInBlock(() => void tokens.remainingArgs());
      });
    },
  }));
