import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { RedirectOptions } from "../../node/rules/redirect.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { familyOf } from "../../node/rules/facts.ts";
import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";
import { boolean, FlagError, type FlagValues, HELP_FLAG, number, text } from "../flags.ts";

/** Flags of `nodens redirect`. */
export const REDIRECT_FLAGS = {
  n: boolean("print the commands and run none"),
  to: text("ADDRESSES", "address of nodens, one a family, comma-separated; default: any"),
  port: number("PORT", 53, "port of nodens"),
  only: text("ADDRESSES", "servers to redirect from; default: all others"),
  except: text("ADDRESSES", "servers whose traffic is left alone"),
  "except-uid": text("USER", "user whose traffic is left alone"),
  interface: text("NAMES", "interfaces of containers (docker0,br-+); default: all"),
  containers: boolean("containers as well as the host", true),
  failopen: boolean("only while nodens answers", true),
  h: HELP_FLAG,
};

/** Values of the flags. */
export type RedirectValues = FlagValues<typeof REDIRECT_FLAGS>;

const MAX_SERVERS = 64;
/** 4294967295 means "unchanged" in setuid(2). */
const MAX_UID = 4294967294;
/** IFNAMSIZ without the final zero; includes a trailing +. */
const MAX_INTERFACE_NAME = 15;

/** Reads a redirect; `names`: aliases of flags. Throws `FlagError`. */
export function readRedirectOptions(
  values: Omit<RedirectValues, "n" | "h">,
  names: Partial<Record<keyof RedirectValues, string>> = {},
): RedirectOptions {
  const check = (isRight: boolean, flag: keyof RedirectValues, why: string) => {
    if (!isRight) throw new FlagError(`flag -${names[flag] ?? flag}: ${why}`);
  };
  const addresses = (flag: "to" | "only" | "except") => {
    const list = words(values[flag]);
    const tooMany = `${list.length} addresses are too many (${MAX_SERVERS})`;
    check(list.length <= MAX_SERVERS, flag, tooMany);
    for (const word of list) {
      const why = `"${word}" is not an IP address (write 192.0.2.1 or 2001:db8::1)`;
      check(parseAddress(word) !== null, flag, why);
    }
    return [...new Set(list.map(canonicalAddress))];
  };
  const { port, containers, failopen: failOpen } = values;
  check(port >= 1 && port <= 65535, "port", `${port} is not a port (1 to 65535)`);
  const uid = userIdOf(values["except-uid"]);
  const isUid = uid === "" || /^[0-9]+$/.test(uid) && Number(uid) <= MAX_UID;
  check(isUid, "except-uid", `"${uid}" is not a user here, by number or name`);
  const only = addresses("only");
  const to: Partial<Record<Family, string | null>> = values.to === "" ? { 4: null, 6: null } : {};
  for (const address of addresses("to")) {
    const family = familyOf(address);
    const why = `"${values.to}" has two addresses of IPv${family}; one a family is enough`;
    check(to[family] === undefined, "to", why);
    to[family] = address;
  }
  for (const address of only) {
    const given = `-${names.to ?? "to"} ("${values.to}")`;
    const why = `for "${address}" an address of its family is missing in ${given}`;
    check(to[familyOf(address)] !== undefined, "only", why);
  }
  for (const family of [4, 6] as const) {
    if (only.length > 0 && !only.some((one) => familyOf(one) === family)) delete to[family];
  }
  const interfaces = words(values.interface);
  for (const name of interfaces) {
    const isName = name.length <= MAX_INTERFACE_NAME && /^[\w.:@-]+\+?$/.test(name);
    const why = `"${name}" is not the name of an interface (write docker0, or br-+ for several)`;
    check(isName, "interface", why);
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
