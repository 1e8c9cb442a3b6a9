import {
  readRedirectArguments,
  type RedirectArguments,
  type RedirectFlagNames,
} from "../../node/redirect/arguments.ts";
import type { RedirectOptions } from "../../node/redirect/redirect.ts";
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

/** Checks the flags. Throws `FlagError`. */
export function readRedirectOptions(values: RedirectValues): RedirectOptions {
  const { interface: interfaces, failopen: failOpen, "except-uid": exceptUser } = values;
  return checkRedirect({ ...values, interfaces, failOpen, exceptUser }, {
    ...{ to: "to", port: "port", only: "only", except: "except" },
    ...{ exceptUser: "except-uid", interfaces: "interface" },
  });
}

/** Checks a redirect. Throws `FlagError`. */
export function checkRedirect(
  words: RedirectArguments,
  names: RedirectFlagNames,
): RedirectOptions {
  try {
    return readRedirectArguments(words, names);
  } catch (error) {
    throw error instanceof RangeError ? new FlagError(error.message) : error;
  }
}
