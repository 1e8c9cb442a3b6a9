import { MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { PluginSetup } from "../setup.ts";

/** CoreDNS's defaults and minimums, in milliseconds; jitter may be 0. */
const INTERVAL = { name: "INTERVAL", default: 30_000, min: 2000, max: MAX_DURATION_MS } as const;
const JITTER = { name: "JITTER", default: 15_000, min: 1000, max: MAX_DURATION_MS } as const;

/** Reads `reload [INTERVAL] [JITTER]`. */
export const reloadSetup: PluginSetup = {
  name: "reload",
  setup({ tokens, reloadEvery }) {
    const readJitter = (): number => {
      if (!tokens.nextArg()) return JITTER.default;
      const { value } = tokens;
      return readDuration(tokens, value, { ...JITTER, min: 0 }) &&
        readDuration(tokens, value, JITTER);
    };
    tokens.once(() => {
      const intervalMs = tokens.nextArg()
        ? readDuration(tokens, tokens.value, INTERVAL)
        : INTERVAL.default;
      // As in CoreDNS.
      reloadEvery({ intervalMs, jitterMs: Math.min(readJitter(), intervalMs / 2) });
    });
  },
};
