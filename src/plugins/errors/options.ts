/** Severity that a summary is logged with. */
export type ErrorsLevel = "debug" | "info" | "warning" | "error";

/** Errors that are counted for a while and then logged as one line. */
export interface ConsolidateOptions {
  /** From the first matching error to the summary. */
  periodMs: number;
  /** RE2 regular expression (Go's `regexp`), checked to compile. */
  pattern: string;
  level: ErrorsLevel;
  /** Log the first error at once, and a summary only if others follow. */
  showFirst: boolean;
}

/** Options of one `errors` directive. */
export interface ErrorsOptions {
  /** Log a stack trace with an exception. */
  stacktrace: boolean;
  /** In the order of the Corefile: an error belongs to the first rule that matches. */
  consolidate: ConsolidateOptions[];
}
