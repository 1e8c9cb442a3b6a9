import { readInteger } from "../../corefile/values.ts";
import { DEFAULT_RATE, type ResponseRate } from "../../engine/response/limiter.ts";
import type { PluginSetup } from "../setup.ts";

/** Options of `rrl`. */
export type RrlOptions = { -readonly [K in keyof ResponseRate]: number };

/** A data plane cannot send more than a million a second. */
const RATE = { min: 0, max: 1_000_000 } as const;
const IPV4 = { min: 1, max: 32 } as const;
const IPV6 = { min: 1, max: 128 } as const;

/** Reads `rrl { … }`. */
export const rrlSetup: PluginSetup = {
  name: "rrl",
  setup({ tokens, addHandler }) {
    const read = (name: string, what: string, bounds: { min: number; max: number }) =>
      readInteger(tokens, tokens.oneArg(what), { name, ...bounds });
    tokens.once(() => {
      const options: RrlOptions = { ...DEFAULT_RATE };
      tokens.someOptions({
        "responses-per-second": (name) => options.perSecond = read(name, "ALLOWANCE", RATE),
        "ipv4-prefix-length": (name) => options.ipv4PrefixLength = read(name, "LENGTH", IPV4),
        "ipv6-prefix-length": (name) => options.ipv6PrefixLength = read(name, "LENGTH", IPV6),
      });
      addHandler(options);
    });
  },
};
