import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../controller.ts";

/** Options of a `local` directive. */
export interface LocalOptions {
  /** Names such as `localhost.example.org` are answered as well. */
  localhostPrefix: boolean;
}

/** Reads `local { localhost_prefix on|off }`. */
export const localSetup: PluginSetup = {
  name: "local",
  answers: true,
  describe: () => "localhost and its reverse zones are answered here",
  setup({ tokens, addHandler }) {
    const options: LocalOptions = { localhostPrefix: true };
    tokens.eachUse(() => {
      tokens.eachInBlock((option) => {
        if (option !== "localhost_prefix") {
          throw tokens.error(`unknown option ${quote(option)} (localhost_prefix)`);
        }
        const word = tokens.oneArg("on|off");
        if (word !== "on" && word !== "off") {
          throw tokens.error(`localhost_prefix is on or off and not ${quote(word)}`);
        }
        options.localhostPrefix = word === "on";
      });
    });
    addHandler(options);
  },
};
