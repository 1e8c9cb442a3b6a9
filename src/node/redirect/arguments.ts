import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";
import type { Family } from "../rules/rule_text.ts";
import { familyOf } from "../rules/rules.ts";
import type { RedirectOptions } from "./redirect.ts";

/** A redirect as flags describe it; lists are separated by commas. */
export interface RedirectArguments {
  /** Addresses of nodens, one for each family; "" if it listens on all. */
  to: string;
  port: number;
  /** Servers. */
  only: string;
  except: string;
  /** Name or number of a user; "" for none. */
  exceptUser: string;
  /** Interfaces; "" for all. */
  interfaces: string;
  containers: boolean;
  failOpen: boolean;
}

/** Names of the flags, for messages. */
export type RedirectFlagNames = Readonly<
  Record<"to" | "port" | "only" | "except" | "exceptUser" | "interfaces", string>
>;

const MAX_SERVERS = 64;
/** 4294967295 is no user: as an argument of setuid(2) it means "unchanged". */
const MAX_UID = 4294967294;
/** Octets of an interface's name (IFNAMSIZ without the final zero), including a + at its end. */
const MAX_INTERFACE_NAME = 15;

/** Parses the flags. Throws a `RangeError` with flag, value and remedy. */
export function readRedirectArguments(
  args: RedirectArguments,
  names: RedirectFlagNames,
): RedirectOptions {
  const { port, containers, failOpen } = args;
  if (port < 1 || port > 65535) {
    throw new RangeError(`flag -${names.port}: ${port} is not a port (1 to 65535)`);
  }
  const exceptUid = userIdOf(args.exceptUser);
  if (exceptUid !== "" && !(/^[0-9]+$/.test(exceptUid) && Number(exceptUid) <= MAX_UID)) {
    throw new RangeError(
      `flag -${names.exceptUser}: "${exceptUid}" is not a user here, by number or name`,
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
  // Servers of one family alone do not redirect the other.
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

/**
 * Number of a user of this machine, as text; an unknown name is returned unchanged.
 *
 * @param readUsers - returns the text of /etc/passwd
 */
export function userIdOf(
  name: string,
  readUsers = () => readRegularTextSync("/etc/passwd", MAX_SYSTEM_FILE_BYTES),
): string {
  if (name === "" || /^[0-9]+$/.test(name)) return name;
  let users: string;
  try {
    users = readUsers();
  } catch {
    return name;
  }
  const user = users.split("\n").map((line) => line.split(":")).find(([login]) => login === name);
  return user?.[2] ?? name;
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
