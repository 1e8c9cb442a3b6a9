import type { PluginSetup } from "../setup.ts";
import { readHttpAddress } from "../http_address.ts";

/** Reads `prometheus [ADDRESS]`. */
export const prometheusSetup: PluginSetup = {
  name: "prometheus",
  setup({ tokens, warn, addEndpoint, addHandler }) {
    tokens.once(() => {
      const address = readHttpAddress(tokens, "localhost", 9153);
      tokens.options({
        runtime_metrics: () => {
          const what = "runtime_metrics: there is no Go runtime to measure (leave it out)";
          warn(tokens.place.line, what);
        },
        tls: () => {
          throw tokens.error('"tls" is not supported (listen on localhost, or leave it out)');
        },
      });
      addEndpoint({ kind: "prometheus", ...address });
      addHandler({});
    });
  },
};
