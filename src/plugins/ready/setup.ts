import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../controller.ts";
import { readHttpAddress } from "../http_address.ts";

const MODES = ["until-ready", "continuously"];

/** Reads `ready [ADDRESS] { monitor until-ready|continuously }`. */
export const readySetup: PluginSetup = {
  name: "ready",
  setup({ tokens, addEndpoint }) {
    tokens.once(() => {
      const address = tokens.nextArg()
        ? readHttpAddress(tokens, tokens.value)
        : { host: "", port: 8181 };
      let continuously = false;
      tokens.eachInBlock((option) => {
        if (option !== "monitor") {
          throw tokens.error(`unknown option ${quote(option)} (monitor until-ready|continuously)`);
        }
        const mode = tokens.oneArg("until-ready|continuously");
        if (!MODES.includes(mode)) {
          const hint = didYouMean(mode, MODES) || ` (${MODES.join(" or ")})`;
          throw tokens.error(`monitor: unknown mode ${quote(mode)}${hint}`);
        }
        continuously = mode === "continuously";
      });
      addEndpoint({ kind: "ready", ...address, continuously });
    });
  },
};
