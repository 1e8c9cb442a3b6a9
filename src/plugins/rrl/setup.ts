import type { Dispenser } from "../../corefile/dispenser.ts";
import { unknownOption } from "../../corefile/nearest.ts";
import { readInteger } from "../../corefile/values.ts";
import { DEFAULT_RATE } from "../../engine/response/limiter.ts";
import type { PluginSetup } from "../controller.ts";
import type { RrlOptions } from "./options.ts";

/** Above a million nothing is limited that one data plane could send. */
const RATE = { min: 0, max: 1_000_000 } as const;
const IPV4 = { min: 1, max: 32 } as const;
const IPV6 = { min: 1, max: 128 } as const;
const NAMES = ["responses-per-second", "ipv4-prefix-length", "ipv6-prefix-length"];

/** Reads `rrl { … }`. */
export const rrlSetup: PluginSetup = {
  name: "rrl",
  setup({ tokens, addHandler }) {
    tokens.once(() => {
      const options: RrlOptions = { ...DEFAULT_RATE };
      let lines = 0;
      tokens.eachInBlock((option) => {
        lines++;
        readOption(tokens, option, options);
      });
      if (lines === 0) throw tokens.error(`it needs at least one option (${NAMES.join(", ")})`);
      addHandler(options);
    });
  },
};

function readOption(tokens: Dispenser, option: string, options: RrlOptions): void {
  const read = (what: string, bounds: { min: number; max: number }) =>
    readInteger(tokens, tokens.oneArg(what), { name: option, ...bounds });
  switch (option) {
    case "responses-per-second":
      options.perSecond = read("ALLOWANCE", RATE);
      break;
    case "ipv4-prefix-length":
      options.ipv4PrefixLength = read("LENGTH", IPV4);
      break;
    case "ipv6-prefix-length":
      options.ipv6PrefixLength = read("LENGTH", IPV6);
      break;
    default:
      throw tokens.error(unknownOption(option, NAMES));
  }
}
