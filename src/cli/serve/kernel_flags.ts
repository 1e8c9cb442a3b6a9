import { quote } from "../../corefile/quote.ts";
import type { Selection } from "../../kernel/selection.ts";
import { FlagError, type FlagValues, text } from "../flags.ts";

/** Flag of hits in the kernel. */
export const KERNEL_FLAGS = {
  "kernel-hits": text(
    "WHERE",
    "let the kernel answer cached names: auto, interfaces (lo,cni0) or off; see docs/kernel-path.md",
    "off",
  ),
};

/** IFNAMSIZ without the final zero. */
const MAX_NAME = 15;
/** Bridges of a node, and lo; pods' own interfaces are for `auto`. */
const MAX_NAMES = 64;

/** Interfaces to answer on; null for none. Throws `FlagError`. */
export function readKernelHits(values: FlagValues<typeof KERNEL_FLAGS>): Selection | null {
  const value = values["kernel-hits"];
  if (value === "off") return null;
  if (value === "auto") return "auto";
  const names = [...new Set(value.split(",").map((name) => name.trim()))];
  if (names.length > MAX_NAMES) throw wrong(`${names.length} names, at most ${MAX_NAMES}`);
  for (const name of names) {
    if (name === "") throw wrong(`a name is missing in ${quote(value)}`);
    if (name === "auto" || name === "off") throw wrong(`${quote(name)} stands alone`);
    if (name.length > MAX_NAME) {
      throw wrong(`${quote(name)} is too long, Linux takes at most ${MAX_NAME} octets`);
    }
    if (!/^(?!\.{1,2}$)[A-Za-z0-9._@-]+$/.test(name)) {
      throw wrong(`${quote(name)} is not the name of an interface`);
    }
  }
  return names;
}

function wrong(what: string): FlagError {
  return new FlagError(`flag -kernel-hits: ${what} (write auto, lo,cni0 or off)`);
}
