import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { EDNS_OPTION } from "../../dns/constants.ts";
import { EDNS_VARIABLES, type EdnsVariable, type RewriteAction } from "./options.ts";

const ACTIONS = ["set", "append", "replace", "unset"];
/** Maximum option data in octets: several fit a query. */
const MAX_DATA = 128;
const encoder = new TextEncoder();

/** Options managed by nodens. */
const OWN: Readonly<Record<number, string>> = {
  [EDNS_OPTION.CLIENT_SUBNET]: "use edns0 subnet",
  [EDNS_OPTION.COOKIE]: "forward sends cookies",
  [EDNS_OPTION.PADDING]: "forward pads queries over TLS",
};

/** Reads `edns0 local|nsid|subnet ACTION ...`. */
export function readEdns(args: readonly string[], tokens: Dispenser): RewriteAction {
  const [kind, word, ...rest] = args;
  const action = word?.toLowerCase() ?? "";
  if (!ACTIONS.includes(action)) {
    throw tokens.error(`${quote(word ?? "")} is not an action (${ACTIONS.join(", ")})`);
  }
  // Responses never have this option.
  if (action !== "unset" && rest.at(-1) === "revert") rest.pop();
  const unset = action === "unset";
  const count = (wanted: number, usage: string) => {
    if (rest.length !== wanted) throw tokens.error(`wrong number of arguments (${usage})`);
  };
  // With a value, unless it is unset.
  const change = (more: object) => ({ field: "edns0", action, ...more }) as RewriteAction;
  switch (kind!.toLowerCase()) {
    case "local": {
      count(unset ? 1 : 2, unset ? "edns0 local unset CODE" : `edns0 local ${action} CODE DATA`);
      const code = readCode(rest[0]!, tokens);
      return change({ kind: "option", code, ...unset ? {} : readData(rest[1]!, tokens) });
    }
    case "nsid":
      count(0, `edns0 nsid ${action}`);
      return change({ kind: "option", code: EDNS_OPTION.NSID, ...unset ? {} : { data: [] } });
    case "subnet": {
      count(unset ? 0 : 2, unset ? "edns0 subnet unset" : `edns0 subnet ${action} BITS4 BITS6`);
      if (unset) return change({ kind: "subnet" });
      const [ipv4, ipv6] = [readBits(rest[0]!, 32, tokens), readBits(rest[1]!, 128, tokens)];
      return change({ kind: "subnet", bits: { ipv4, ipv6 } });
    }
    default:
      throw tokens.error(`${quote(kind!)} is not an option (local, nsid, subnet)`);
  }
}

function readCode(text: string, tokens: Dispenser): number {
  const code = /^(?:0x[0-9a-f]{1,4}|[0-9]{1,5})$/i.test(text) ? Number(text) : NaN;
  if (!(code <= 0xffff)) throw tokens.error(`${quote(text)} is not a code (0 to 65535)`);
  const why = OWN[code];
  if (why !== undefined) throw tokens.error(`option ${code} is nodens's own (${why})`);
  return code;
}

function readData(
  text: string,
  tokens: Dispenser,
): { data: number[] } | { variable: EdnsVariable } {
  const [, name] = /^\{(.*)\}$/.exec(text) ?? [];
  if (name !== undefined) {
    const variable = EDNS_VARIABLES.find((known) => known === name);
    if (variable !== undefined) return { variable };
    throw tokens.error(`${quote(text)} is not a variable ({${EDNS_VARIABLES.join("} {")}})`);
  }
  let data: Uint8Array = encoder.encode(text);
  if (text.startsWith("0x")) {
    if (!/^0x(?:[0-9a-f]{2})*$/i.test(text)) {
      throw tokens.error(`${quote(text)} is not hexadecimal data (pairs of digits)`);
    }
    data = Uint8Array.fromHex(text.slice(2));
  }
  if (data.length > MAX_DATA) {
    throw tokens.error(`the data has ${data.length} octets (at most ${MAX_DATA})`);
  }
  return { data: [...data] };
}

function readBits(text: string, max: number, tokens: Dispenser): number {
  const bits = /^\d{1,3}$/.test(text) ? Number(text) : NaN;
  if (!(bits <= max)) throw tokens.error(`${quote(text)} is not a length (0 to ${max} bits)`);
  return bits;
}
