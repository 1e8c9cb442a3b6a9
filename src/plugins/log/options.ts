/** What a placeholder of a log format stands for; `>` marks header values, as in CoreDNS. */
export type LogField =
  | "type"
  | "name"
  | "class"
  | "proto"
  | "size"
  | "remote"
  | "port"
  | "local"
  | ">id"
  | ">opcode"
  | ">do"
  | ">bufsize"
  | "rcode"
  | "rsize"
  | "duration"
  | ">rflags"
  | "/log/class"
  | "/log/type";

/** A piece of a log line: text as it is, or a value of the query or response. */
export type LogPart = { text: string } | { field: LogField };

/** Kind of response that a rule logs; `all` stands for every kind. */
export type LogClass = "all" | "success" | "denial" | "error";

/** Which queries are logged, and how. */
export interface LogRule {
  /** Names in or below this zone, normalised. */
  zone: string;
  format: LogPart[];
  /** Without repetition; never empty. */
  classes: LogClass[];
}

/** Options of the `log` directives of a server block. */
export interface LogOptions {
  /** In the order of the Corefile: the first rule whose zone matches decides. */
  rules: LogRule[];
}
