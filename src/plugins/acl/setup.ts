import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { typeNumber } from "../../dns/mnemonics.ts";
import type { PluginSetup } from "../controller.ts";
import { readZones } from "../zones_argument.ts";
import { readNetwork } from "./networks.ts";
import type { AclAction, AclNetwork, AclOptions, AclPolicy } from "./options.ts";

const ACTIONS: readonly AclAction[] = ["allow", "block", "filter", "drop"];
const SECTIONS = ["type", "net"];
const ALL = "*";

/** Reads `acl [ZONES...] { ACTION [type QTYPE...] [net SOURCE...] }`. */
export const aclSetup: PluginSetup = {
  name: "acl",
  setup({ tokens, zones, addHandler, warn }) {
    const options: AclOptions = { rules: [] };
    tokens.eachUse(() => {
      const { line } = tokens.place;
      const names = tokens.remainingArgs();
      const policies: AclPolicy[] = [];
      const own = names.length === 0 ? [...zones] : readZones(tokens, names);
      let lines = 0;
      tokens.eachInBlock((action) => {
        lines++;
        policies.push(readPolicy(tokens, action));
      });
      if (lines === 0) warn(line, "without any rule it lets every query pass");
      options.rules.push({ zones: own, policies });
    });
    addHandler(options);
  },
};

function readPolicy(tokens: Dispenser, word: string): AclPolicy {
  const action = ACTIONS.find((known) => known === word.toLowerCase());
  if (action === undefined) {
    const hint = didYouMean(word.toLowerCase(), ACTIONS) || ` (${ACTIONS.join(", ")})`;
    throw tokens.error(`unknown action ${quote(word)}${hint}`);
  }
  // Null stands for "not said", which is all, as `*` is.
  let qtypes: Set<number> | null = null;
  let networks: AclNetwork[] | null = null;
  let allTypes = false;
  let allNetworks = false;
  for (const { section, words } of readSections(tokens)) {
    if (section === "type") {
      qtypes ??= new Set();
      for (const text of words) {
        if (text === ALL) allTypes = true;
        else qtypes.add(readType(tokens, text));
      }
    } else {
      networks ??= [];
      for (const text of words) {
        if (text === ALL) allNetworks = true;
        else networks.push(readNetwork(tokens, text));
      }
    }
  }
  return {
    action,
    qtypes: allTypes || qtypes === null ? null : [...qtypes],
    networks: allNetworks ? null : networks,
  };
}

/** Cuts the rest of the line at the words `type` and `net`. */
function readSections(tokens: Dispenser): { section: string; words: string[] }[] {
  const sections: { section: string; words: string[] }[] = [];
  for (const text of tokens.remainingArgs()) {
    const section = SECTIONS.find((known) => known === text.toLowerCase());
    const last = sections.at(-1);
    if (section !== undefined) {
      sections.push({ section, words: [] });
    } else if (last === undefined) {
      const hint = didYouMean(text.toLowerCase(), SECTIONS) ||
        ' (a rule goes on with "type" and "net")';
      throw tokens.error(`unknown word ${quote(text)}${hint}`);
    } else {
      last.words.push(text);
    }
  }
  for (const { section, words } of sections) {
    if (words.length > 0) continue;
    const what = section === "type" ? "type QTYPE..." : "net SOURCE...";
    throw tokens.error(`"${section}" needs an argument (${what}, or * for all)`);
  }
  return sections;
}

function readType(tokens: Dispenser, text: string): number {
  const type = typeNumber(text);
  if (type === null) {
    throw tokens.error(`type: ${quote(text)} is no type (write A, AAAA, TYPE65, or * for all)`);
  }
  return type;
}
