import { CorefileError, CorefileErrors } from "../../corefile/error.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { StubDomain } from "./kube_dns_config.ts";

const LOCAL = "__PILLAR__LOCAL__DNS__";
const SERVER = "__PILLAR__DNS__SERVER__";
const CLUSTER = "__PILLAR__CLUSTER__DNS__";
const UPSTREAMS = "__PILLAR__UPSTREAM__SERVERS__";
const DOMAIN = "__PILLAR__DNS__DOMAIN__";
const VARIABLES = [LOCAL, SERVER, CLUSTER, UPSTREAMS, DOMAIN] as const;

/** Where upstream servers are found if nobody names some. */
const RESOLV_CONF = "/etc/resolv.conf";
/** Seconds that answers for stub domains are kept (node-cache's value). */
const STUB_DOMAIN_TTL_SECONDS = 30;
/** Most variables that are told of; whoever has more of them has no template. */
const MAX_FAULTS = 20;

/** A known variable, or anything else that begins like one. */
const VARIABLE = new RegExp(`${VARIABLES.join("|")}|__PILLAR__\\w*`, "g");
/**
 * The pieces of a Corefile as its lexer cuts them: quoted words, comments, words, white space, and
 * a quote that is never closed.
 */
const PIECE = /"(?:\\[\s\S]|[^"\\])*"|#[^\n]*|[^\s"#][^\s#]*|\s+|"[^\n]*/g;
/** A `forward` to the upstream servers with nothing in its block but `force_tcp`. */
const FORCED_TCP = new RegExp(
  `^([ \\t]*forward[ \\t]+\\S+[ \\t]+${UPSTREAMS})[ \\t]*\\{[ \\t]*\\r?\\n` +
    "[ \\t]*force_tcp[ \\t]*\\r?\\n[ \\t]*\\}[ \\t]*\\r?$",
  "gm",
);

/** An address, or why there is none. */
export type AddressOrWhy = { address: string } | { why: string };

/** What the variables of a template stand for. */
export interface TemplateValues {
  /** The template's path, for messages. */
  file: string;
  localIps: readonly string[];
  /** Of the service whose name `-upstreamsvc` gives. */
  clusterDns: AddressOrWhy;
  /** Custom upstream servers; none for those of /etc/resolv.conf. */
  upstreamServers: readonly string[];
  domain: string;
  stubDomains: readonly StubDomain[];
  /** Port of the server blocks of stub domains. */
  dnsPort: number;
}

/** A template filled in. */
export interface FilledTemplate {
  /** Its lines are those of the template, so faults in it have the template's line numbers. */
  text: string;
  /** First line of what was made of stub domains; null if there are none. */
  stubDomainsLine: number | null;
}

/**
 * Fills the variables of a Corefile template and adds a server block for each stub domain, as
 * node-cache does (kubernetes/dns, updateCorefile).
 *
 * Throws `CorefileErrors` with the first place of every variable that cannot be filled, and why.
 */
export function fillTemplate(template: string, values: TemplateValues): FilledTemplate {
  const faults = new Map<string, CorefileError>();
  let line = 1;
  // Custom servers are asked over UDP. Empty lines take the block's place: line numbers stay.
  const source = values.upstreamServers.length > 0
    ? template.replace(FORCED_TCP, "$1\n\n")
    : template;
  let text = source.replace(PIECE, (piece) => {
    const place = { file: values.file, line };
    for (const character of piece) if (character === "\n") line++;
    // A comment may name what cannot be filled.
    if (piece.startsWith("#")) return piece;
    return piece.replace(VARIABLE, (variable: string, at: number) => {
      if (faults.has(variable) || faults.size >= MAX_FAULTS) return variable;
      try {
        return valueOf(variable, values, around(piece, variable, at));
      } catch (error) {
        if (!(error instanceof Unfillable)) throw error;
        faults.set(variable, new CorefileError(place, "", error.message));
        return variable;
      }
    });
  });
  if (faults.size > 0) throw new CorefileErrors([...faults.values()]);
  let stubDomainsLine: number | null = null;
  if (values.stubDomains.length > 0) {
    stubDomainsLine = text.split("\n").length + 1;
    text += values.stubDomains.map((stub) => stubDomainBlock(stub, values)).join("");
  }
  return { text, stubDomainsLine };
}

/**
 * The address of a service in the pod's own namespace, out of the variable that kubelet sets
 * (`KUBE_DNS_UPSTREAM_SERVICE_HOST` for `kube-dns-upstream`).
 */
export function serviceAddress(
  service: string,
  env: (name: string) => string | undefined,
): AddressOrWhy {
  const name = `${service.replaceAll("-", "_").toUpperCase()}_SERVICE_HOST`;
  const value = env(name);
  if (value === undefined || value === "") {
    const why = `the environment variable ${name} is not set (the Service ${quote(service)} must ` +
      "be in this namespace before the pod starts; -upstreamsvc names another)";
    return { why };
  }
  if (parseAddress(value) === null) {
    return {
      why: `the environment variable ${name} holds ${quote(value)}, which is no IP address`,
    };
  }
  return { address: canonicalAddress(value) };
}

/** What stands directly beside a variable. */
interface Around {
  before: string;
  after: string;
}

/** A variable has no value here; the message says which and why. */
class Unfillable extends Error {
  constructor(variable: string, why: string) {
    super(`${variable} cannot be filled: ${why}`);
  }
}

function around(piece: string, variable: string, at: number): Around {
  return { before: piece.slice(0, at), after: piece.slice(at + variable.length) };
}

function valueOf(variable: string, values: TemplateValues, { before, after }: Around): string {
  const alone = before === "" && after === "";
  const single = (address: string) =>
    address.includes(":") && after.startsWith(":") && !before.endsWith("[")
      ? `[${address}]`
      : address;
  switch (variable) {
    case LOCAL: {
      const [first] = values.localIps;
      if (first === undefined) {
        throw new Unfillable(
          variable,
          "no local address is given (-localip 169.254.20.10,10.96.0.10)",
        );
      }
      // node-cache puts all of them where a port follows, which no directive takes.
      return alone ? values.localIps.join(" ") : single(first);
    }
    case SERVER:
      if (alone) return "";
      throw new Unfillable(
        variable,
        `it stands for nothing, since ${LOCAL} is all local addresses (write ${LOCAL} here)`,
      );
    case CLUSTER:
      if ("why" in values.clusterDns) throw new Unfillable(variable, values.clusterDns.why);
      return single(values.clusterDns.address);
    case UPSTREAMS:
      if (alone) return values.upstreamServers.join(" ") || RESOLV_CONF;
      throw new Unfillable(
        variable,
        `it stands for several servers or ${RESOLV_CONF}, so nothing may touch it ` +
          `(${quote(before + variable + after)} does: put spaces between)`,
      );
    case DOMAIN:
      return values.domain;
    default: {
      const hint = didYouMean(variable, VARIABLES) || ` (there are ${VARIABLES.join(", ")})`;
      throw new Unfillable(variable, `there is no such variable${hint}`);
    }
  }
}

function stubDomainBlock({ name, servers }: StubDomain, values: TemplateValues): string {
  const bind = values.localIps.length === 0 ? "" : `    bind ${values.localIps.join(" ")}\n`;
  return `\n${name}:${values.dnsPort} {\n    errors\n    cache ${STUB_DOMAIN_TTL_SECONDS}\n` +
    `${bind}    forward . ${servers.join(" ")}\n}\n`;
}
