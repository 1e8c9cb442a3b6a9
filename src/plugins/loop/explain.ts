import type { Explanation } from "../../engine/explanation.ts";
import type { WatchedServer } from "./watch.ts";

/** Explains `loop`. */
export function explainLoop(servers: readonly WatchedServer[], probe: boolean): Explanation {
  const looping = servers.filter((server) => server.looping).map(({ label }) => label);
  const details = { watched: servers.length, looping };
  if (probe) {
    return { verdict: "answers", reason: "the name is a probe for loops", details };
  }
  return looping.length === 0
    ? { verdict: "passes", reason: "it is not a probe; no upstream leads back here", details }
    : {
      verdict: "passes",
      reason: `it is not a probe; ${looping.join(", ")} leads back here`,
      details,
    };
}
