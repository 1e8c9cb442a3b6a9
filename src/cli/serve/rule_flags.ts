import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { NodeOptions } from "../../node/template/options.ts";
import type { NodeRulesOptions } from "../../node/node_rules.ts";
import { readRedirectArguments } from "../../node/redirect/arguments.ts";
import type { RedirectOptions } from "../../node/redirect/redirect.ts";
import { type Destination, familyOf } from "../../node/rules/rules.ts";
import { type Flag, FlagError, type FlagValues } from "../flags.ts";

/** Flags of the rules that node-cache has not. */
export const RULE_FLAGS = [
  {
    name: "failopen",
    kind: "boolean",
    default: true,
    help: "queries go elsewhere while nodens does not answer, where the kernel can do that",
  },
  {
    name: "failopen-to",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "who answers then where no kube-proxy does; addresses, with ports if not 53",
  },
  {
    name: "redirect",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "all, or the servers whose queries come here too; for hosts without kube-proxy",
  },
  {
    name: "redirect-to",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "address of nodens, one a family; else those of -localip, else any",
  },
  {
    name: "redirect-except",
    kind: "text",
    value: "ADDRESSES",
    default: "",
    help: "servers that are asked as before",
  },
  {
    name: "redirect-except-uid",
    kind: "text",
    value: "USER",
    default: "",
    help: "user whose queries are left alone",
  },
  {
    name: "redirect-interface",
    kind: "text",
    value: "NAMES",
    default: "",
    help: "interfaces of containers (docker0,br-+), or none; else all",
  },
] as const satisfies readonly Flag[];

/** Values of the flags of rules. */
export type RuleValues = FlagValues<typeof RULE_FLAGS>;

const MAX_DESTINATIONS = 16;

/** What the rules of a node are made of. Throws `FlagError` for a value that cannot be used. */
export function readRuleOptions(
  values: RuleValues,
  node: Pick<NodeOptions, "localIps" | "dnsPort" | "healthPort" | "setupIptables">,
): Pick<NodeRulesOptions, "rules" | "failOpen" | "redirect"> {
  const failOpen = values.failopen;
  const redirect = readRedirect(values, { node, failOpen });
  return {
    rules: {
      addresses: node.setupIptables ? node.localIps : [],
      port: node.dnsPort,
      healthPort: node.healthPort,
      failOpenTo: readDestinations(values["failopen-to"]),
      tracked: Object.values(redirect?.to ?? {}).filter((address) => address !== null),
    },
    failOpen,
    redirect,
  };
}

function readRedirect(
  values: RuleValues,
  { node, failOpen }: {
    node: Pick<NodeOptions, "localIps" | "dnsPort">;
    failOpen: boolean;
  },
): RedirectOptions | null {
  const which = values.redirect;
  if (which === "") return null;
  const own = ([4, 6] as const).flatMap((family) =>
    node.localIps.find((address) => familyOf(address) === family) ?? []
  );
  const interfaces = values["redirect-interface"];
  try {
    return readRedirectArguments({
      to: values["redirect-to"] || own.join(","),
      port: node.dnsPort,
      only: which === "all" ? "" : which,
      except: values["redirect-except"],
      exceptUser: values["redirect-except-uid"],
      interfaces: interfaces === "none" ? "" : interfaces,
      containers: interfaces !== "none",
      failOpen,
    }, FLAG_NAMES);
  } catch (error) {
    if (error instanceof RangeError) throw new FlagError(error.message);
    throw error;
  }
}

/** What the flags of `nodens redirect` are called here. */
const FLAG_NAMES = {
  to: "redirect-to",
  port: "dns.port",
  only: "redirect",
  except: "redirect-except",
  exceptUser: "redirect-except-uid",
  interfaces: "redirect-interface",
};

function readDestinations(text: string): Destination[] {
  if (text === "") return [];
  const destinations = text.split(",").map((word) => {
    const part = word.trim();
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(part);
    // IPv6 without brackets has no port.
    const address = match?.[1] ?? match?.[2] ?? part;
    const port = Number(match?.[3] ?? 53);
    if (parseAddress(address) !== null && port >= 1 && port <= 65535) {
      return { address: canonicalAddress(address), port };
    }
    throw new FlagError(
      `flag -failopen-to: "${part}" is not an address (write 192.0.2.1, 192.0.2.1:5353,` +
        " 2001:db8::1 or [2001:db8::1]:5353)",
    );
  });
  if (destinations.length > MAX_DESTINATIONS) {
    throw new FlagError(
      `flag -failopen-to: ${destinations.length} addresses are too many (${MAX_DESTINATIONS})`,
    );
  }
  return destinations;
}
