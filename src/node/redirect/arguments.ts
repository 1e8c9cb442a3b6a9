import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { RedirectOptions } from "./redirect.ts";
import type { Family } from "../rules/rule_text.ts";
import { familyOf } from "../rules/rules.ts";

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

/** What the flags are called that say it. */
export type RedirectFlagNames = Readonly<
  Record<"to" | "port" | "only" | "except" | "exceptUid" | "interfaces", string>
>;

const MAX_SERVERS = 64;
/** The largest number of a user that is one. */
const MAX_UID = 4294967294;
/** Octets of an interface's name, a + at the end of a pattern among them. */
const MAX_INTERFACE_NAME = 15;

/** Reads what flags say. Throws a `RangeError` that names the flag, its value and what would do. */
export function readRedirectArguments(
  args: RedirectArguments,
  names: RedirectFlagNames,
): RedirectOptions {
  const { port, exceptUid, containers, failOpen } = args;
  if (port < 1 || port > 65535) {
    throw new RangeError(`flag -${names.port}: ${port} is not a port (1 to 65535)`);
  }
  if (exceptUid !== "" && !(/^[0-9]+$/.test(exceptUid) && Number(exceptUid) <= MAX_UID)) {
    throw new RangeError(
      `flag -${names.exceptUid}: "${exceptUid}" is not a user here, by number or name`,
    );
  }
  const only = addresses(names.only, args.only);
  const to = readTargets(names.to, args.to);
  for (const address of only) {
    if (to[familyOf(address)] === undefined) {
      throw new RangeError(
        `flag -${names.only}: for "${address}" an address of its family is missing in` +
          ` -${names.to} ("${args.to}")`,
      );
    }
  }
  // With servers of one family alone, the other is not meant.
  for (const family of [4, 6] as const) {
    if (only.length > 0 && !only.some((one) => familyOf(one) === family)) delete to[family];
  }
  const interfaces = readInterfaces(names.interfaces, args.interfaces);
  return {
    to,
    port,
    only,
    except: addresses(names.except, args.except),
    exceptUid: exceptUid === "" ? null : Number(exceptUid),
    interfaces: containers ? interfaces : null,
    failOpen,
  };
}

function readTargets(flag: string, text: string): Partial<Record<Family, string | null>> {
  if (text === "") return { 4: null, 6: null };
  const to: Partial<Record<Family, string | null>> = {};
  for (const address of addresses(flag, text)) {
    const family = familyOf(address);
    if (to[family] !== undefined) {
      throw new RangeError(
        `flag -${flag}: "${text}" has two addresses of IPv${family}; one a family is enough`,
      );
    }
    to[family] = address;
  }
  return to;
}

function readInterfaces(flag: string, text: string): string[] {
  const names = words(text);
  for (const name of names) {
    if (name.length > MAX_INTERFACE_NAME || !/^[\w.:@-]+\+?$/.test(name)) {
      throw new RangeError(
        `flag -${flag}: "${name}" is not the name of an interface (write docker0, or br-+ for several)`,
      );
    }
  }
  return names;
}

function addresses(flag: string, text: string): string[] {
  const list = words(text);
  if (list.length > MAX_SERVERS) {
    throw new RangeError(`flag -${flag}: ${list.length} addresses are too many (${MAX_SERVERS})`);
  }
  for (const word of list) {
    if (parseAddress(word) === null) {
      throw new RangeError(
        `flag -${flag}: "${word}" is not an IP address (write 192.0.2.1 or 2001:db8::1)`,
      );
    }
  }
  return [...new Set(list.map(canonicalAddress))];
}

function words(text: string): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}
