/**
 * Effect of a plugin on a query:
 *
 * - `passes`, `changes`: the next plugin gets it, as it is or changed
 * - `answers`, `refuses`, `drops`, `asks` (an upstream): the way down ends here
 * - `acts`: on the response, or beside it
 */
export type ExplainedVerdict =
  | "passes"
  | "changes"
  | "answers"
  | "refuses"
  | "drops"
  | "asks"
  | "acts";

/** What a plugin would do with a query, and why. */
export interface Explanation {
  readonly verdict: ExplainedVerdict;
  /** One line of printable text. */
  readonly reason: string;
  /** Further lines: servers that are not asked, and why. */
  readonly notes?: readonly string[];
  /** The same as plain data, for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The answer is given now, and the query goes on below to refresh it. */
  readonly refreshes?: boolean;
}

/** Verdicts that end the way down. */
const ENDING: readonly ExplainedVerdict[] = ["answers", "refuses", "drops", "asks"];

/** Whether the plugins below do not get the query. */
export function endsWalk({ verdict, refreshes = false }: Explanation): boolean {
  return ENDING.includes(verdict) && !refreshes;
}
