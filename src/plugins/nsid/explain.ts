import type { Explanation } from "../../engine/explanation.ts";

/** Explains `nsid`. */
export function explainNsid(asked: boolean, name: string): Explanation {
  return asked
    ? { verdict: "acts", reason: `adds ${JSON.stringify(name)} to the answer` }
    : { verdict: "passes", reason: "the query does not ask for the server's name (NSID)" };
}
