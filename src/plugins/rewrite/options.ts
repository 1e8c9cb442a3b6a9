/** Lower case, with the final dot. */
export interface NameMatch {
  how: "exact" | "prefix" | "suffix" | "substring" | "regex";
  text: string;
}

/** `{1}` in `to` is the first group. */
export interface AnswerChange {
  what: "name" | "value";
  pattern: string;
  to: string;
}

/** Effect of a rule on matching queries or their responses. */
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

/** Value of an EDNS option for upstreams. */
type EdnsValue =
  | { kind: "option"; code: number; data: number[] }
  | { kind: "option"; code: number; variable: EdnsVariable }
  /** Client subnet: prefix lengths. */
  | { kind: "subnet"; bits: { ipv4: number; ipv6: number } };

/** Of CoreDNS. */
export const EDNS_VARIABLES = [
  "qname",
  "qtype",
  "client_ip",
  "client_port",
  "protocol",
  "server_ip",
  "server_port",
] as const;
/** Variable in EDNS option data. */
export type EdnsVariable = (typeof EDNS_VARIABLES)[number];

/** One use of the directive. */
export type RewriteRule = RewriteAction & { stop: boolean };

/** Options of `rewrite`, in file order. */
export interface RewriteOptions {
  rules: RewriteRule[];
}
