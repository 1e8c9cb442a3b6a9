import type { Dispenser } from "../../corefile/dispenser.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { Address, parseAddress } from "../../dns/address.ts";
import { typeNumber } from "../../dns/mnemonics.ts";
import type { PluginSetup } from "../setup.ts";
import { readZones } from "../zones_argument.ts";

/** Pass, refuse, send an empty answer, or drop. */
export type AclAction = "allow" | "block" | "filter" | "drop";

/** Network in a policy. */
export interface AclNetwork {
  octets: number[];
  prefix: number;
}

interface AclPolicy {
  action: AclAction;
  // Null matches all.
  qtypes: number[] | null;
  networks: AclNetwork[] | null;
}

/** Options of `acl`. */
export interface AclOptions {
  /** The first policy that matches decides. */
  rules: { zones: string[]; policies: AclPolicy[] }[];
}

const ACTIONS: readonly AclAction[] = ["allow", "block", "filter", "drop"];
const SECTIONS = ["type", "net"] as const;
const ALL = "*";
/** Of mapped addresses (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 96;

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
  return { qtypes: qtypes && [...new Set(qtypes)], networks: read(words.net, readNetwork) };
}

function readType(tokens: Dispenser, text: string): number {
  const type = typeNumber(text);
  if (type !== null) return type;
  throw tokens.error(`type: ${quote(text)} is not a type (write A, AAAA, TYPE65, or * for all)`);
}

function readNetwork(tokens: Dispenser, text: string): AclNetwork {
  const [host, bits, ...more] = text.split("/") as [string, string?, ...string[]];
  const bytes = parseAddress(host);
  if (bytes === null || more.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits))) {
    throw tokens.error(
      `net: ${quote(text)} is not an address or network (write 192.0.2.7, 192.0.2.0/24, ` +
        "2001:db8::/32, or * for all)",
    );
  }
  const most = 8 * bytes.length;
  const prefix = bits === undefined ? most : Number(bits);
  if (prefix > most) {
    throw tokens.error(`net: ${quote(text)} has a prefix longer than its address (0 to ${most})`);
  }
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  // Mapped addresses match as IPv4.
  if (most === 128 && prefix >= MAPPED_PREFIX) address.unmap();
  if (address.family === 6 || most === 32) return { octets: [...bytes], prefix };
  return { octets: [...bytes.subarray(12)], prefix: prefix - MAPPED_PREFIX };
}
