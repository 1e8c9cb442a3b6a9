/** What queries get while no upstream is known, in words that follow the reason. */
export const MEANWHILE = {
  nobody: "queries get SERVFAIL until it names one",
  others: "the other upstreams are asked until it names one",
  another: "queries get SERVFAIL until it names another server",
  before: "the servers that it named before stay",
} as const;
