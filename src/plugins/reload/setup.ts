import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { PluginSetup } from "../controller.ts";

/** CoreDNS's defaults and minimums, in milliseconds. */
const INTERVAL = { name: "INTERVAL", default: 30_000, min: 2000, max: MAX_DURATION_MS } as const;
const JITTER = { name: "JITTER", default: 15_000, min: 1000, max: MAX_DURATION_MS } as const;

/** Reads `reload [INTERVAL] [JITTER]`. */
export const reloadSetup: PluginSetup = {
  name: "reload",
  setup({ tokens, reloadEvery }) {
    const read = (bounds: typeof INTERVAL | typeof JITTER): number =>
      tokens.nextArg() ? readDuration(tokens, tokens.value, bounds) : bounds.default;
    tokens.once(() => {
      const intervalMs = read(INTERVAL);
      // At most half the interval, as in CoreDNS.
      reloadEvery({ intervalMs, jitterMs: Math.min(read(JITTER), intervalMs / 2) });
    });
  },
};
