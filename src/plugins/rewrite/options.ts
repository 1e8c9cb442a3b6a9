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
  | { field: "cname"; match: NameMatch; to: string };

/** One use of the directive. */
export type RewriteRule = RewriteAction & { stop: boolean };

/** Options of a block's `rewrite` directives, in the order of the file. */
export interface RewriteOptions {
  rules: RewriteRule[];
}
