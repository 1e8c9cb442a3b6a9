import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";
import type { Family } from "../rules/rule_text.ts";
import { familyOf } from "../rules/rules.ts";
import type { RedirectOptions } from "./redirect.ts";

/** Flags of a redirect as text. */
export interface RedirectArguments {
  to: string;
  port: number;
  only: string;
  except: string;
  exceptUser: string;
  interfaces: string;
  containers: boolean;
  failOpen: boolean;
}

/** Names of the flags in messages. */
export type RedirectFlagNames = Readonly<
  Record<"to" | "port" | "only" | "except" | "exceptUser" | "interfaces", string>
>;

const MAX_SERVERS = 64;
/** 4294967295 means "unchanged" in setuid(2). */
const MAX_UID = 4294967294;
/** IFNAMSIZ without the final zero; includes a trailing +. */
const MAX_INTERFACE_NAME = 15;

/** Parses the flags. Throws `RangeError` with the remedy. */
export function readRedirectArguments(
  args: RedirectArguments,
  names: RedirectFlagNames,
): RedirectOptions {
  const check = (isRight: boolean, flag: keyof RedirectFlagNames, why: string) => {
    if (!isRight) throw new RangeError(`flag -${names[flag]}: ${why}`);
  };
  const addresses = (flag: "to" | "only" | "except") => {
    const list = words(args[flag]);
    check(
      list.length <= MAX_SERVERS,
      flag,
      `${list.length} addresses are too many (${MAX_SERVERS})`,
    );
    for (const word of list) {
      const why = `"${word}" is not an IP address (write 192.0.2.1 or 2001:db8::1)`;
      check(parseAddress(word) !== null, flag, why);
    }
    return [...new Set(list.map(canonicalAddress))];
  };
  const { port, containers, failOpen } = args;
  check(port >= 1 && port <= 65535, "port", `${port} is not a port (1 to 65535)`);
  const uid = userIdOf(args.exceptUser);
  check(
    uid === "" || /^[0-9]+$/.test(uid) && Number(uid) <= MAX_UID,
    "exceptUser",
    `"${uid}" is not a user here, by number or name`,
  );
  const only = addresses("only");
  const to: Partial<Record<Family, string | null>> = args.to === "" ? { 4: null, 6: null } : {};
  for (const address of addresses("to")) {
    const family = familyOf(address);
    const why = `"${args.to}" has two addresses of IPv${family}; one a family is enough`;
    check(to[family] === undefined, "to", why);
    to[family] = address;
  }
  for (const address of only) {
    const why =
      `for "${address}" an address of its family is missing in -${names.to} ("${args.to}")`;
    check(to[familyOf(address)] !== undefined, "only", why);
  }
  // One family's servers do not redirect the other.
  for (const family of [4, 6] as const) {
    if (only.length > 0 && !only.some((one) => familyOf(one) === family)) delete to[family];
  }
  const interfaces = words(args.interfaces);
  for (const name of interfaces) {
    check(
      name.length <= MAX_INTERFACE_NAME && /^[\w.:@-]+\+?$/.test(name),
      "interfaces",
      `"${name}" is not the name of an interface (write docker0, or br-+ for several)`,
    );
  }
  return {
    ...{ to, port, only, failOpen },
    except: addresses("except"),
    exceptUid: uid === "" ? null : Number(uid),
    interfaces: containers ? interfaces : null,
  };
}

/** User id; an unknown name is returned unchanged. */
export function userIdOf(
  name: string,
  readUsers = () => readRegularTextSync("/etc/passwd", MAX_SYSTEM_FILE_BYTES),
): string {
  if (name === "" || /^[0-9]+$/.test(name)) return name;
  try {
    const users = readUsers().split("\n").map((line) => line.split(":"));
    return users.find(([login]) => login === name)?.[2] ?? name;
  } catch {
    return name;
  }
}

function words(text: string): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}
