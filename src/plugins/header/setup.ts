import { quote } from "../../corefile/quote.ts";
import { FLAG } from "../../dns/constants.ts";
import type { PluginSetup } from "../setup.ts";

/** Bits of the second header word. */
interface FlagChange {
  set: number;
  clear: number;
}

/** Options of `header`. */
export interface HeaderOptions {
  query: FlagChange;
  response: FlagChange;
}

const MESSAGES = ["query", "response"] as const;
const ACTIONS = ["set", "clear"] as const;
const FLAGS: Readonly<Record<string, number>> = { aa: FLAG.AA, ra: FLAG.RA, rd: FLAG.RD };

/** Reads `header { query|response set|clear FLAGS... }`. */
export const headerSetup: PluginSetup = {
  name: "header",
  setup({ tokens, addHandler }) {
    const options: HeaderOptions = { query: { set: 0, clear: 0 }, response: { set: 0, clear: 0 } };
    tokens.once(() => {
      let rules = 0;
      tokens.eachInBlock((word) => {
        rules++;
        const message = tokens.choose(word.toLowerCase(), MESSAGES, "unknown message");
        const [first, ...names] = tokens.someArgs("set|clear FLAGS...");
        const action = tokens.choose(first.toLowerCase(), ACTIONS, "unknown action");
        if (names.length === 0) throw tokens.error("a flag is missing (aa, ra, rd)");
        for (const name of names) {
          const flag = FLAGS[name.toLowerCase()];
          if (flag === undefined) throw tokens.error(`${quote(name)} is not a flag (aa, ra, rd)`);
          // The last rule counts.
          const change = options[message];
          change[action] |= flag;
          change[action === "set" ? "clear" : "set"] &= ~flag;
        }
      });
      if (rules === 0) throw tokens.error("it has no rule (query|response set|clear FLAGS...)");
    });
    addHandler(options);
  },
};
