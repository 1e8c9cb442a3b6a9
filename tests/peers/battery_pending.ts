/** The test of what `serve_stale` does, which waits as a whole. */
export const STALE_TEST = "answers outlive an upstream as serve_stale says";

/**
 * Rows of the battery whose expectation is not met yet, by title, and what they wait for; tests
 * beside it as a whole likewise.
 *
 * Such a row may fail; one that passes is reported, to be taken from here.
 */
export const PENDING: ReadonlyMap<string, string> = new Map([
  ["an option longer than OPT", "options of the query are not looked at"],
  ["an option without a length", "options of the query are not looked at"],
  ["upstream dead, extended error", "extended error 13 for cached failures"],
  [
    "SERVFAIL of the upstream, extended error of the cache",
    "extended error 13 for cached failures",
  ],
  [STALE_TEST, "the directive serve_stale"],
]);
