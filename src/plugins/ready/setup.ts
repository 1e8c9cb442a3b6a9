import type { PluginSetup } from "../setup.ts";
import { readHttpAddress } from "../http_address.ts";

const MODES = ["until-ready", "continuously"] as const;

/** Reads `ready [ADDRESS] { monitor until-ready|continuously }`. */
export const readySetup: PluginSetup = {
  name: "ready",
  setup({ tokens, addEndpoint }) {
    tokens.once(() => {
      const address = readHttpAddress(tokens, "", 8181);
      let continuously = false;
      tokens.options({
        monitor: () => {
          const mode = tokens.oneArg("until-ready|continuously");
          continuously = tokens.choose(mode, MODES, "monitor: unknown mode") === "continuously";
        },
      });
      addEndpoint({ kind: "ready", ...address, continuously });
    });
  },
};
