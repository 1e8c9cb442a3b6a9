import { didYouMean, unknownOption } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import { parseFormat } from "./format.ts";
import type { LogClass, LogOptions } from "./options.ts";

const CLASSES: readonly LogClass[] = ["all", "success", "denial", "error"];

/** Reads `log [NAMES...] [FORMAT] { class CLASSES... }`. */
export const logSetup: PluginSetup = {
  name: "log",
  setup({ tokens, addHandler, warn }) {
    const options: LogOptions = { rules: [] };
    tokens.eachUse(() => {
      const { line } = tokens.place;
      const args = tokens.remainingArgs();
      // CoreDNS takes a lone format for a name and logs nothing then, against its own description.
      const format = args.at(-1)?.includes("{") ? args.pop()! : "{common}";
      if (args.includes("class")) {
        const what = '"class" is taken for a zone, so what is logged is what it holds';
        warn(line, `${what} (classes stand in braces: log { class error })`);
      }
      const zones = args.length === 0 ? ["."] : readZones(tokens, args);
      const parts = parseFormat(format, (text) => warn(line, text));
      const classes = new Set<LogClass>();
      tokens.eachInBlock((option) => {
        if (option !== "class") {
          throw tokens.error(unknownOption(option, ["class"]));
        }
        for (const text of tokens.someArgs("all|success|denial|error...")) {
          const known = CLASSES.find((name) => name === text);
          if (known === undefined) {
            const hint = didYouMean(text, CLASSES) || ` (${CLASSES.join(", ")})`;
            throw tokens.error(`class: unknown class ${quote(text)}${hint}`);
          }
          classes.add(known);
        }
      });
      if (classes.size === 0) classes.add("all");
      for (const zone of zones) options.rules.push({ zone, format: parts, classes: [...classes] });
    });
    addHandler(options);
  },
};
