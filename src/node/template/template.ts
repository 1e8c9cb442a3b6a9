import { CorefileError, CorefileErrors } from "../../corefile/error.ts";
import { didYouMean } from "../../corefile/nearest.ts";
import { quote } from "../../corefile/quote.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import type { TemplateOptions } from "../options.ts";
import type { KubeDnsConfig, StubDomain } from "./kube_dns_config.ts";

const LOCAL = "__PILLAR__LOCAL__DNS__";
const SERVER = "__PILLAR__DNS__SERVER__";
const CLUSTER = "__PILLAR__CLUSTER__DNS__";
const UPSTREAMS = "__PILLAR__UPSTREAM__SERVERS__";
const DOMAIN = "__PILLAR__DNS__DOMAIN__";
/** The only one without the prefix (kubernetes-sigs/node-local-dns). */
const METRICS = "__PROMETHEUS__ENDPOINT__";
/** All variables of a template. */
export const VARIABLES = [LOCAL, SERVER, CLUSTER, UPSTREAMS, DOMAIN, METRICS] as const;

const RESOLV_CONF = "/etc/resolv.conf";
/** node-cache's TTL for stub domains. */
const STUB_DOMAIN_TTL_SECONDS = 30;
/** More is hardly a template. */
const MAX_FAULTS = 20;

const VARIABLE = new RegExp(`${VARIABLES.join("|")}|__PILLAR__\\w*|__PROMETHEUS__\\w*`, "g");
/** Corefile tokens: quoted words, comments, words, white space, an unclosed quote. */
const PIECE = /"(?:\\[\s\S]|[^"\\])*"|#[^\n]*|[^\s"#][^\s#]*|\s+|"[^\n]*/g;
/** A `forward` with only `force_tcp`. */
const FORCED_TCP = new RegExp(
  `^([ \\t]*forward[ \\t]+\\S+[ \\t]+${UPSTREAMS})[ \\t]*\\{[ \\t]*\\r?\\n` +
    "[ \\t]*force_tcp[ \\t]*\\r?\\n[ \\t]*\\}[ \\t]*\\r?$",
  "gm",
);

/** An address, or why there is none. */
export type AddressOrWhy = { address: string } | { why: string };

type Own = Pick<TemplateOptions, "localIps" | "domain" | "metricsEndpoint" | "dnsPort">;

/** Values of a template's variables. */
export interface TemplateValues extends KubeDnsConfig, Own {
  file: string;
  clusterDns: AddressOrWhy;
}

/** A filled template. */
export interface FilledTemplate {
  /** With the template's line numbers. */
  text: string;
  stubDomainsLine: number | null;
}

/** Fills a template as node-cache's updateCorefile does. Throws `CorefileErrors`. */
export function fillTemplate(template: string, values: TemplateValues): FilledTemplate {
  const { file, upstreamNameservers, stubDomains } = values;
  const faults = new Map<string, CorefileError>();
  let line = 1;
  // Custom servers use UDP. Empty lines preserve line numbers.
  const source = upstreamNameservers.length > 0 ? template.replace(FORCED_TCP, "$1\n\n") : template;
  let text = source.replace(PIECE, (piece) => {
    const place = { file, line };
    for (const character of piece) if (character === "\n") line++;
    if (piece.startsWith("#")) return piece;
    return piece.replace(VARIABLE, (variable: string, at: number) => {
      if (faults.has(variable) || faults.size >= MAX_FAULTS) return variable;
      const before = piece.slice(0, at);
      const after = piece.slice(at + variable.length);
      const value = valueOf(variable, values, { before, after });
      if (typeof value === "string") return value;
      const why = `${variable} cannot be filled: ${value.why}`;
      faults.set(variable, new CorefileError(place, "", why));
      return variable;
    });
  });
  if (faults.size > 0) throw new CorefileErrors([...faults.values()]);
  if (stubDomains.length === 0) return { text, stubDomainsLine: null };
  const stubDomainsLine = text.split("\n").length + 1;
  text += stubDomains.map((stub) => stubDomainBlock(stub, values)).join("");
  return { text, stubDomainsLine };
}

/** A service's address from kubelet's variable. */
export function serviceAddress(
  service: string,
  env: (name: string) => string | undefined,
): AddressOrWhy {
  const name = `${service.replaceAll("-", "_").toUpperCase()}_SERVICE_HOST`;
  const value = env(name) ?? "";
  if (parseAddress(value) !== null) return { address: canonicalAddress(value) };
  return {
    why: value === ""
      ? `the environment variable ${name} is not set (the Service ${quote(service)} must be in` +
        " this namespace before the pod starts; -upstreamsvc names another)"
      : `the environment variable ${name} holds ${quote(value)}, which is not an IP address`,
  };
}

function valueOf(
  variable: string,
  { localIps, clusterDns, upstreamNameservers, domain, metricsEndpoint }: TemplateValues,
  { before, after }: { before: string; after: string },
): string | { why: string } {
  const alone = before === "" && after === "";
  const single = (address: string) =>
    address.includes(":") && after.startsWith(":") && !before.endsWith("[")
      ? `[${address}]`
      : address;
  switch (variable) {
    case LOCAL: {
      const [first] = localIps;
      if (first === undefined) {
        return { why: "no local address is given (-localip 169.254.20.10,10.96.0.10)" };
      }
      // node-cache inserts all of them before a port too, which is invalid.
      return alone ? localIps.join(" ") : single(first);
    }
    case SERVER:
      if (alone) return "";
      return { why: `it is empty, because ${LOCAL} has all local addresses (write ${LOCAL} here)` };
    case CLUSTER:
      return "why" in clusterDns ? clusterDns : single(clusterDns.address);
    case UPSTREAMS:
      if (alone) return upstreamNameservers.join(" ") || RESOLV_CONF;
      return {
        why: `it becomes several servers or ${RESOLV_CONF}, so it must be a separate word ` +
          `(put spaces around it in ${quote(before + variable + after)})`,
      };
    case DOMAIN:
      return domain;
    case METRICS:
      return metricsEndpoint;
    default: {
      const hint = didYouMean(variable, VARIABLES) || ` (there are ${VARIABLES.join(", ")})`;
      return { why: `there is no such variable${hint}` };
    }
  }
}

function stubDomainBlock({ name, servers }: StubDomain, values: TemplateValues): string {
  const bind = values.localIps.length === 0 ? "" : `    bind ${values.localIps.join(" ")}\n`;
  return `\n${name}:${values.dnsPort} {\n    errors\n    cache ${STUB_DOMAIN_TTL_SECONDS}\n` +
    `${bind}    forward . ${servers.join(" ")}\n}\n`;
}
