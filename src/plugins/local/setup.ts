import type { PluginSetup } from "../setup.ts";

/** Options of `local`. */
export interface LocalOptions {
  /** Also answer names such as `localhost.example.org`. */
  localhostPrefix: boolean;
}

/** Reads `local { localhost_prefix on|off }`. */
export const localSetup: PluginSetup = {
  name: "local",
  answers: true,
  describe: () => "localhost and its reverse zones are answered here",
  setup({ tokens, addHandler }) {
    const options: LocalOptions = { localhostPrefix: true };
    tokens.eachUse(() =>
      tokens.options({
        localhost_prefix: () => {
          const word = tokens.oneArg("on|off");
          options.localhostPrefix =
            tokens.choose(word, ["on", "off"], "localhost_prefix: unknown value") === "on";
        },
      })
    );
    addHandler(options);
  },
};
