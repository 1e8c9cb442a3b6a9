/** How a rule compares a name, in presentation format, lower case, with its closing dot. */
export interface NameMatch {
  how: "exact" | "prefix" | "suffix" | "substring" | "regex";
  text: string;
}

/** A change to names in a response, by an expression; `{1}` in `to` is its first group. */
export interface AnswerChange {
  what: "name" | "value";
  pattern: string;
  to: string;
}

/** What a rule does with queries that it matches, or with their responses. */
export type RewriteAction =
  | {
    field: "name";
    match: NameMatch;
    to: string;
    /** Names in the response are changed back. */
    auto: boolean;
    answers: AnswerChange[];
  }
  | { field: "type"; from: number; to: number }
  | { field: "class"; from: number; to: number }
  | { field: "ttl"; match: NameMatch; minSeconds: number; maxSeconds: number }
  | { field: "rcode"; match: NameMatch; from: number; to: number }
  | { field: "cname"; match: NameMatch; to: string }
  | ({ field: "edns0"; action: "set" | "append" | "replace" } & EdnsValue)
  | { field: "edns0"; action: "unset"; kind: "option"; code: number }
  | { field: "edns0"; action: "unset"; kind: "subnet" };

/** Value of an EDNS option in queries to upstreams. */
export type EdnsValue =
  | { kind: "option"; code: number; data: number[] }
  | { kind: "option"; code: number; variable: EdnsVariable }
  /** Client subnet: bits of IPv4 and of IPv6 addresses. */
  | { kind: "subnet"; bits: { ipv4: number; ipv6: number } };

/** Variables of CoreDNS that nodens knows. */
export const EDNS_VARIABLES = [
  "qname",
  "qtype",
  "client_ip",
  "client_port",
  "protocol",
  "server_ip",
  "server_port",
] as const;
/** Variable in the data of an EDNS option. */
export type EdnsVariable = (typeof EDNS_VARIABLES)[number];

/** One use of the directive. */
export type RewriteRule = RewriteAction & { stop: boolean };

/** Options of a block's `rewrite` directives, in the order of the file. */
export interface RewriteOptions {
  rules: RewriteRule[];
}
