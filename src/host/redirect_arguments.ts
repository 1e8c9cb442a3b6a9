import { canonicalAddress, parseAddress } from "../dns/address.ts";
import { type RedirectOptions } from "./redirect.ts";
import { type Family } from "./rule_text.ts";
import { familyOf } from "./rules.ts";

/** A redirect in words, as flags say it. */
export interface RedirectArguments {
  /** Addresses of nodens, one a family, with commas between; "" where it listens on all. */
  to: string;
  port: number;
  /** Servers with commas between. */
  only: string;
  except: string;
  /** Number of a user; "" for none. */
  exceptUid: string;
  /** Interfaces with commas between; "" for all. */
  interfaces: string;
  containers: boolean;
  failOpen: boolean;
}

const MAX_SERVERS = 64;
const MAX_UID = 4294967294;

/** Reads what flags say. Throws a `RangeError` that names the flag, its value and what would do. */
export function readRedirectArguments(args: RedirectArguments): RedirectOptions {
  const { port, exceptUid, containers, failOpen } = args;
  if (port < 1 || port > 65535) throw new RangeError(`flag -port: ${port} is no port (1 to 65535)`);
  if (exceptUid !== "" && !(/^[0-9]+$/.test(exceptUid) && Number(exceptUid) <= MAX_UID)) {
    throw new RangeError(`flag -except-uid: "${exceptUid}" is no number of a user`);
  }
  const interfaces = words(args.interfaces);
  for (const name of interfaces) {
    if (!/^[\w.:@-]{1,15}\+?$/.test(name) || name.length > 15) {
      throw new RangeError(`flag -interface: "${name}" is no name of an interface`);
    }
  }
  const only = addresses("only", args.only);
  const to = readTargets(args.to);
  for (const address of only) {
    if (to[familyOf(address)] === undefined) {
      throw new RangeError(
        `flag -only: "${address}" has no address of its family in -to ("${args.to}")`,
      );
    }
  }
  // With servers of one family alone, the other is not meant.
  if (only.length > 0) {
    for (const family of [4, 6] as const) {
      if (!only.some((address) => familyOf(address) === family)) delete to[family];
    }
  }
  return {
    to,
    port,
    only,
    except: addresses("except", args.except),
    exceptUid: exceptUid === "" ? null : Number(exceptUid),
    interfaces: containers ? interfaces : null,
    failOpen,
  };
}

function readTargets(text: string): Partial<Record<Family, string | null>> {
  if (text === "") return { 4: null, 6: null };
  const to: Partial<Record<Family, string | null>> = {};
  for (const address of addresses("to", text)) {
    const family = familyOf(address);
    if (to[family] !== undefined) {
      throw new RangeError(
        `flag -to: "${text}" has two addresses of IPv${family}; one a family can be redirected to`,
      );
    }
    to[family] = address;
  }
  return to;
}

function addresses(flag: string, text: string): string[] {
  const list = words(text);
  if (list.length > MAX_SERVERS) {
    throw new RangeError(`flag -${flag}: ${list.length} addresses are too many (${MAX_SERVERS})`);
  }
  for (const word of list) {
    if (parseAddress(word) === null) {
      throw new RangeError(
        `flag -${flag}: "${word}" is no IP address (write 192.0.2.1 or 2001:db8::1)`,
      );
    }
  }
  return [...new Set(list.map(canonicalAddress))];
}

function words(text: string): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}
