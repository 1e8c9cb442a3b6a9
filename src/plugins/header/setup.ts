import { quote } from "../../corefile/quote.ts";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { FLAG } from "../../dns/constants.ts";
import type { PluginSetup } from "../controller.ts";

/** Bits that are set and cleared, in the header's second word. */
export interface FlagChange {
  set: number;
  clear: number;
}

/** Options of a `header` directive. */
export interface HeaderOptions {
  query: FlagChange;
  response: FlagChange;
}

const FLAGS: Readonly<Record<string, number>> = { aa: FLAG.AA, ra: FLAG.RA, rd: FLAG.RD };

/** Reads `header { query|response set|clear FLAGS... }`. */
export const headerSetup: PluginSetup = {
  name: "header",
  setup({ tokens, addHandler }) {
    const options: HeaderOptions = { query: none(), response: none() };
    tokens.once(() => {
      let rules = 0;
      tokens.eachInBlock((selector) => {
        rules++;
        readRule(selector.toLowerCase(), options, tokens);
      });
      if (rules === 0) throw tokens.error("it has no rule (query|response set|clear FLAGS...)");
    });
    addHandler(options);
  },
};

function readRule(selector: string, options: HeaderOptions, tokens: Dispenser): void {
  if (selector !== "query" && selector !== "response") {
    throw tokens.error(`${quote(selector)} is neither query nor response`);
  }
  const [action, ...names] = tokens.someArgs("set|clear FLAGS...");
  const word = action!.toLowerCase();
  if (word !== "set" && word !== "clear") {
    throw tokens.error(`${quote(action!)} is neither set nor clear`);
  }
  if (names.length === 0) throw tokens.error("a flag is missing (aa, ra, rd)");
  const change = options[selector];
  for (const name of names) {
    const flag = FLAGS[name.toLowerCase()];
    if (flag === undefined) throw tokens.error(`${quote(name)} is not a flag (aa, ra, rd)`);
    // The last rule for a flag counts.
    change.set = word === "set" ? change.set | flag : change.set & ~flag;
    change.clear = word === "clear" ? change.clear | flag : change.clear & ~flag;
  }
}

function none(): FlagChange {
  return { set: 0, clear: 0 };
}
