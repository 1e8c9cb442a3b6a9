import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { typeNumber } from "../../dns/mnemonics.ts";
import type { PluginSetup } from "../setup.ts";
import { type ClientNetwork, readNetwork } from "./network_argument.ts";
import { readZones } from "../zones_argument.ts";

/** Pass, refuse, send an empty answer, or drop. */
export type AclAction = "allow" | "block" | "filter" | "drop";

interface AclPolicy {
  action: AclAction;
  // Null matches all.
  qtypes: number[] | null;
  networks: ClientNetwork[] | null;
}

/** Options of `acl`. */
export interface AclOptions {
  /** The first policy that matches decides. */
  rules: { zones: string[]; policies: AclPolicy[] }[];
}

const ACTIONS: readonly AclAction[] = ["allow", "block", "filter", "drop"];
const SECTIONS = ["type", "net"] as const;
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
      const own = readZones(tokens, names, zones);
      let lines = 0;
      tokens.eachInBlock((word) => {
        lines++;
        const action = tokens.choose(word.toLowerCase(), ACTIONS, "unknown action");
        policies.push({ action, ...readConditions(tokens) });
      });
      if (lines === 0) warn(line, "without any rule it lets every query pass");
      options.rules.push({ zones: own, policies });
    });
    addHandler(options);
  },
};

function readConditions(tokens: Dispenser): Pick<AclPolicy, "qtypes" | "networks"> {
  const words: { type?: string[]; net?: string[] } = {};
  const texts = tokens.remainingArgs();
  const sectionOf = (text: string) => SECTIONS.find((known) => known === text.toLowerCase());
  let own: string[] | null = null;
  for (const [i, text] of texts.entries()) {
    const section = sectionOf(text);
    if (section !== undefined) {
      own = words[section] ??= [];
      const next = texts[i + 1];
      if (next !== undefined && sectionOf(next) === undefined) continue;
      const what = section === "type" ? "type QTYPE..." : "net SOURCE...";
      throw tokens.error(`"${section}" needs an argument (${what}, or * for all)`);
    }
    if (own === null) {
      const hint = didYouMean(text.toLowerCase(), SECTIONS) ||
        ' (a rule continues with "type" or "net")';
      throw tokens.error(`unknown word ${quote(text)}${hint}`);
    }
    own.push(text);
  }
  const read = <T>(own: string[] = [ALL], readWord: (tokens: Dispenser, word: string) => T) => {
    const values = own.filter((word) => word !== ALL).map((word) => readWord(tokens, word));
    return own.includes(ALL) ? null : values;
  };
  const qtypes = read(words.type, readType);
  return { qtypes: qtypes && [...new Set(qtypes)], networks: read(words.net, readNet) };
}

function readType(tokens: Dispenser, text: string): number {
  const type = typeNumber(text);
  if (type !== null) return type;
  throw tokens.error(`type: ${quote(text)} is not a type (write A, AAAA, TYPE65, or * for all)`);
}

function readNet(tokens: Dispenser, text: string): ClientNetwork {
  return readNetwork(tokens, text, { option: "net", orElse: ", or * for all" });
}
