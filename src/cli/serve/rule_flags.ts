import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { NodeOptions } from "../../node/options.ts";
import type { NodeRulesOptions } from "../../node/node_rules.ts";
import type { RedirectOptions } from "../../node/rules/redirect.ts";
import { type Destination, familyOf } from "../../node/rules/facts.ts";
import { boolean, FlagError, type FlagValues, text } from "../flags.ts";
import { readRedirectOptions } from "../redirect/options.ts";

/** Flags without a counterpart in node-cache. */
export const RULE_FLAGS = {
  failopen: boolean("queries go elsewhere while nodens is silent, if the kernel can do that", true),
  "failopen-to": text("ADDRESSES", "servers for that without kube-proxy, with ports if not 53"),
  redirect: text("ADDRESSES", "all, or the servers whose queries come here, without kube-proxy"),
  "redirect-to": text("ADDRESSES", "of nodens, one a family; default: those of -localip, else any"),
  "redirect-except": text("ADDRESSES", "servers that are asked as before"),
  "redirect-except-uid": text("USER", "user whose queries are left alone"),
  "redirect-interface": text("NAMES", "container interfaces (docker0,br-+), or none; default: all"),
};

type RuleValues = FlagValues<typeof RULE_FLAGS>;

const MAX_DESTINATIONS = 16;

/** Checks flags. Throws `FlagError`. */
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
  return readRedirectOptions({
    to: values["redirect-to"] || own.join(","),
    port: node.dnsPort,
    only: which === "all" ? "" : which,
    except: values["redirect-except"],
    "except-uid": values["redirect-except-uid"],
    interface: interfaces === "none" ? "" : interfaces,
    containers: interfaces !== "none",
    failopen: failOpen,
  }, {
    ...{ to: "redirect-to", port: "dns.port", only: "redirect", except: "redirect-except" },
    ...{ "except-uid": "redirect-except-uid", interface: "redirect-interface" },
  });
}

function readDestinations(text: string): Destination[] {
  if (text === "") return [];
  const destinations = text.split(",").map((word) => {
    const part = word.trim();
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(part);
    // Unbracketed IPv6 has no port.
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
