import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { ServedZone } from "../../engine/served.ts";

/** Explains `prometheus`. */
export function explainPrometheus(
  { listener, zone }: Exchange,
  served: readonly ServedZone[],
): Explanation {
  const own = served.find((one) => one.listener === listener && one.place === zone);
  const where = own === undefined ? "" : ` of server ${own.server}, zone ${own.zone}`;
  return { verdict: "acts", reason: `counts the query in the metrics${where}` };
}
