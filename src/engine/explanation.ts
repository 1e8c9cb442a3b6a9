/**
 * Effect of a plugin on a query. `passes` and `changes` lead to the next plugin; `answers`,
 * `refuses`, `drops` and `asks` (an upstream) end the way down.
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
  /** One printable line. */
  readonly reason: string;
  /** Further lines. */
  readonly notes?: readonly string[];
  /** For programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The query also goes on below, to refresh the answer. */
  readonly refreshes?: boolean;
}

/** Verdicts that end the way down. */
const ENDING: readonly ExplainedVerdict[] = ["answers", "refuses", "drops", "asks"];

/** Whether the plugins below do not get the query. */
export function endsWalk({ verdict, refreshes = false }: Explanation): boolean {
  return ENDING.includes(verdict) && !refreshes;
}
