import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../controller.ts";
import { readHttpAddress } from "../http_address.ts";

const DEFAULT = { host: "localhost", port: 9153 } as const;

/** Reads `prometheus [ADDRESS]`. */
export const prometheusSetup: PluginSetup = {
  name: "prometheus",
  setup({ tokens, warn, addEndpoint, addHandler }) {
    tokens.once(() => {
      const address = tokens.nextArg() ? readHttpAddress(tokens, tokens.value) : { ...DEFAULT };
      tokens.eachInBlock((option) => {
        if (option === "runtime_metrics") {
          const what = "runtime_metrics: there is no Go runtime to measure (leave it out)";
          warn(tokens.place.line, what);
        } else if (option === "tls") {
          throw tokens.error('"tls" is not supported (listen on localhost, or leave it out)');
        } else {
          throw tokens.error(`unknown option ${quote(option)} (prometheus [ADDRESS])`);
        }
      });
      addEndpoint({ kind: "prometheus", ...address });
      addHandler({});
    });
  },
};
